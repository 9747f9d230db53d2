# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's stock tools at work with virtkilnd as the system's driver: a tour of virsh's commands."""
import os
import shutil
import signal
import subprocess

import document
import driver
import tour
import tour_definitions

DIRECTORY = "/var/lib/libvirt/images/tour"
# What is for other hypervisors, and done by virsh itself.
OTHERS = {"lxc-enter-namespace": "of the LXC driver"}


class Tools:
    """The scenario: one daemon, one guest with a Debian system."""

    kiln_only = True
    cost = 8
    name = "libvirt's tools"

    def __init__(self):
        self.daemon = driver.Daemon()
        self.tap = None
        self.tour = None

    # --- steps

    def begins(self):
        driver.make_user()
        shutil.rmtree(DIRECTORY, ignore_errors=True)
        os.makedirs(DIRECTORY)
        create = ["qemu-img", "create", "-q", "-f"]
        subprocess.run([*create, "qcow2", "-b", f"{document.GUESTS}/system.raw", "-F", "raw",
                        f"{DIRECTORY}/system.qcow2"], check=True)
        for name in ("data", "spare"):
            subprocess.run([*create, "raw", f"{DIRECTORY}/{name}.raw", "64M"], check=True)
        subprocess.run(["chown", "-R", f"{driver.SERVICE_USER}:", DIRECTORY], check=True)
        self.daemon.start()
        self.tour = tour.Tour(driver.URI, DIRECTORY, {"KERNEL": f"{document.GUESTS}/cloud-bzImage",
                                                      "INITRD": f"{document.GUESTS}/system-initrd"})

    def shows_the_host(self):
        self.tour.take(self.tap, f"{self.name}: host", tour_definitions.HOST)

    def defines(self):
        self.tour.take(self.tap, f"{self.name}: definition", tour_definitions.DEFINITION)

    def refuses(self):
        self.tour.take(self.tap, f"{self.name}: refused", tour_definitions.REFUSED)

    def undefines(self):
        self.tour.take(self.tap, f"{self.name}: end", tour_definitions.END)

    def leaves_nothing_out(self):
        left = self.tour.left_out(("domain", "monitor", "events", "host"), OTHERS)
        if left:
            raise driver.Wrong(f"virsh has more: {', '.join(left)}")

    def stops(self):
        self.daemon.kill(signal.SIGTERM)

    STEPS = [
        ("virtkilnd answers", begins),
        ("the host is looked at", shows_the_host),
        ("a definition is looked at and changed", defines),
        ("what there is not is refused", refuses),
        ("the definition is taken away", undefines),
        ("virtkilnd stops", stops),
    ]

    def run(self, tap, machine, directory):
        self.tap = tap
        failed = None
        for name, step in self.STEPS:
            details = "not reached" if failed else None
            if failed is None:
                try:
                    step(self)
                except Exception as error:  # a fault of this suite is a failure too
                    details = failed = f"{type(error).__name__}: {error}\n{self.daemon.said()}"
            tap.line(details is None, f"{self.name}: {name}", details)
        self.clean_up()
        tap.line(failed is not None or not driver.definitions(), f"{self.name}: leaves nothing behind",
                 ", ".join(driver.definitions()))

    def clean_up(self):
        if self.daemon.process is not None and self.daemon.process.poll() is None:
            self.daemon.process.kill()
            self.daemon.process.wait()
        subprocess.run(["pkill", "-9", "-f", f"kiln run.*{tour_definitions.NAME}"], check=False)
        shutil.rmtree(DIRECTORY, ignore_errors=True)
