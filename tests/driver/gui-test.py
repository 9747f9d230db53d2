#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""virt-manager on a screen of its own, driven by its mouse and keyboard, with virtkilnd of a session and
small guests that really run.  What a click does is seen in the state of the guest; what is shown, in the
windows' titles and in the pictures, which are kept as PNG in gui/ of the build for people to look at.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import wire  # noqa: E402

BUILD = wire.BUILD
PAGES = os.path.join(BUILD, "gui")
PATIENCE = 60
MANAGER = "^Virtual Machine Manager$"
DOCUMENT = """<domain type='kvm'><name>%s</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type>hvm</type><kernel>%s</kernel><cmdline>%s</cmdline></os>
<devices><console type='pty'/></devices></domain>"""
# Letters of tests/machine/guest.S: the first says again what is typed, until a "q", and powers off; the
# second waits for its power button, and does the same.
GUESTS = {"echoing": "ep", "waiting": "bp"}
# In the main window, as large as it comes: the guests' rows, their graphs, the buttons of the toolbar.
ROWS = {"echoing": (200, 139), "waiting": (200, 180)}
GRAPHS = {"echoing": (420, 123, 118, 32), "waiting": (420, 164, 118, 32)}
OPEN, RUN, PAUSE, SHUT_DOWN = (107, 46), (178, 46), (222, 46), (264, 46)
BESIDE = 560  # where the window of a guest is put
CONSOLE, DETAILS = (BESIDE + 27, 46), (BESIDE + 67, 46)  # its buttons
INSIDE = (BESIDE + 200, 300)
TYPED = (BESIDE + 60, 68, 100, 18)  # where words stand in the first line of the terminal, right of the cursor's place
SIDEBAR = (BESIDE + 3, 110, 180, 220)  # of the page of details, with an icon a device
# A picture of the whole screen, by what virt-manager needs anyway.
SHOOT = """
import gi, sys
gi.require_version("Gdk", "3.0")
from gi.repository import Gdk
root = Gdk.get_default_root_window()
Gdk.pixbuf_get_from_window(root, 0, 0, root.get_width(), root.get_height()).savev(sys.argv[1], "png", [], [])
"""
# How many colours there are in a part of a picture, and a number for what it is.
LOOK = """
import gi, hashlib, sys
gi.require_version("GdkPixbuf", "2.0")
from gi.repository import GdkPixbuf
part = GdkPixbuf.Pixbuf.new_from_file(sys.argv[1]).new_subpixbuf(*map(int, sys.argv[2:6])).copy()
data, step, line = part.get_pixels(), part.get_n_channels(), part.get_rowstride()
places = [y * line + x * step for y in range(part.get_height()) for x in range(part.get_width())]
seen = [data[place:place + 3] for place in places]
print(len(set(seen)), hashlib.sha256(b"".join(seen)).hexdigest())
"""


class Wrong(Exception):
    """Something was otherwise than it should be."""


def missing():
    """Why this cannot run here."""
    for program, package in (("virt-manager", "virt-manager"), ("Xvfb", "xvfb"), ("xdotool", "xdotool"),
                             ("dbus-run-session", "dbus-daemon"), ("virsh", "libvirt-clients")):
        if shutil.which(program) is None:
            return f"{program} is not there (Debian: {package})"
    for name in ("virtkilnd", "kiln", "control.so", "tests/machine/guest.elf"):
        if not os.path.exists(os.path.join(BUILD, name)):
            return name + " is not built"
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR))
    except OSError as error:
        return f"/dev/kvm: {error.strerror}"
    return None


class Daemon(wire.Daemon):
    """With the real kiln."""

    def __init__(self, top):
        super().__init__(top)
        os.unlink(os.path.join(top, "kiln"))
        self.program = os.path.join(os.path.abspath(BUILD), "virtkilnd")
        self.uri = "kiln:///session?socket=" + self.socket
        self.environment.update(GSETTINGS_BACKEND="memory", NO_AT_BRIDGE="1", GDK_BACKEND="x11", LC_ALL="C.UTF-8")

    def virsh(self, *words):
        done = subprocess.run(["virsh", "-q", "-c", self.uri, *words], env=self.environment, text=True,
                              capture_output=True, timeout=PATIENCE, check=False)
        return done.stdout.strip() + done.stderr.strip()

    def becomes(self, guest, state):
        end = time.monotonic() + PATIENCE
        while (said := self.virsh("domstate", guest)) != state:
            if time.monotonic() > end:
                raise Wrong(f"{guest} is {said}, not {state}")
            time.sleep(0.2)


class Screen:
    """An X server without a window manager: a window is where it is put, and as large as it likes."""

    def __init__(self, environment):
        read, write = os.pipe()
        command = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1600x900x24", "-nolisten", "tcp"]
        self.server = subprocess.Popen(command, pass_fds=[write], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
        os.close(write)
        with os.fdopen(read) as file:
            number = file.readline().strip()
        if not number:
            raise Wrong("Xvfb does not start")
        self.environment = dict(environment, DISPLAY=":" + number)
        self.count = 0
        self.last = None

    def run(self, *words, check=True):
        done = subprocess.run(words, env=self.environment, text=True, capture_output=True, timeout=PATIENCE,
                              check=False)
        if check and done.returncode != 0:
            raise Wrong(f"{' '.join(words[:4])}: {done.stderr.strip()[-300:]}")
        return done.stdout.strip()

    def window(self, title):
        end = time.monotonic() + PATIENCE
        while not (found := self.run("xdotool", "search", "--onlyvisible", "--name", title, check=False).split()):
            if time.monotonic() > end:
                raise Wrong(f"no window is titled {title}")
            time.sleep(0.2)
        return found[-1]

    def click(self, place):
        self.run("xdotool", "mousemove", str(place[0]), str(place[1]), "sleep", "0.3", "click", "1", "sleep", "0.5")

    def keys(self, *keys):
        self.run("xdotool", "key", "--delay", "300", *keys)

    def shoot(self, name):
        """Keeps the page as it is."""
        self.count += 1
        self.last = os.path.join(PAGES, f"{self.count:02}-{name}.png")
        self.run("/usr/bin/python3", "-c", SHOOT, self.last)

    def look(self, x, y, width, height):
        """Returns the number of colours in that part of the last page, and its digest."""
        place = map(str, (x, y, width, height))
        colours, digest = self.run("/usr/bin/python3", "-c", LOOK, self.last, *place).split()
        return int(colours), digest

    def changes(self, name, place, before=None):
        """Waits until what is at @place is another than @before, or than it is now; keeps that page."""
        self.shoot(name)
        before = before or self.look(*place)
        end = time.monotonic() + PATIENCE
        while (now := self.look(*place)) == before or now[0] < 2:
            if time.monotonic() > end:
                raise Wrong(f"nothing changes at {place}: {now[0]} colours")
            time.sleep(0.5)
            self.count -= 1
            self.shoot(name)
        return now

    def end(self):
        self.server.terminate()
        self.server.wait(PATIENCE)


class Tour:
    """What a user does, in order."""

    def __init__(self, daemon, screen):
        self.daemon = daemon
        self.screen = screen
        self.manager = None

    def connects(self):
        with open(os.path.join(self.daemon.top, "virt-manager.log"), "wb") as log:
            self.manager = subprocess.Popen(
                ["dbus-run-session", "--", "virt-manager", "--connect", self.daemon.uri, "--no-fork"],
                env=self.screen.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        window = self.screen.window(MANAGER)
        self.screen.run("xdotool", "windowmove", window, "0", "0", "windowfocus", window)

    def lists(self):
        """The rows are there when the second one can be chosen, which lets its button be pressed."""
        blank = (10, 300, 500, 200)
        end = time.monotonic() + PATIENCE
        self.screen.shoot("list")
        while self.screen.look(5, 165, 200, 30)[0] < 20:  # an icon and letters
            if time.monotonic() > end:
                raise Wrong("the list does not show two guests")
            time.sleep(0.5)
            self.screen.shoot("list")
        if self.screen.look(*blank)[0] != 1:
            raise Wrong("there is something below the guests")

    def starts(self):
        for name in GUESTS:
            self.screen.click(ROWS[name])
            self.screen.click(RUN)
            self.daemon.becomes(name, "running")
        self.screen.shoot("started")

    def draws_graphs(self):
        """The guest that waits for its button is busy with it, which the graph shows anew each second."""
        first = self.screen.changes("graph", GRAPHS["waiting"])
        self.screen.changes("graph-later", GRAPHS["waiting"], first)

    def pauses(self):
        self.screen.click(ROWS["waiting"])
        self.screen.click(PAUSE)
        self.daemon.becomes("waiting", "paused")
        self.screen.shoot("paused")
        self.screen.click(PAUSE)
        self.daemon.becomes("waiting", "running")

    def opens(self):
        self.screen.click(ROWS["echoing"])
        self.screen.click(OPEN)
        window = self.screen.window("^echoing on ")
        self.screen.run("xdotool", "windowmove", window, str(BESIDE), "0", "windowfocus", window)

    def shows_the_console(self):
        """What is typed comes back from the guest, and the guest does what it is told."""
        self.screen.click(INSIDE)
        self.screen.shoot("console")
        before = self.screen.look(*TYPED)
        if before[0] != 1:
            raise Wrong("the terminal is not empty")
        self.screen.run("xdotool", "type", "--delay", "100", "typed into the console")
        self.screen.changes("console-typed", TYPED, before)
        if self.daemon.virsh("domstate", "echoing") != "running":
            raise Wrong("the guest ended by itself")

    def shows_details(self):
        before = self.screen.look(*SIDEBAR)
        self.screen.click(DETAILS)
        colours, _ = self.screen.changes("details", SIDEBAR, before)
        if before[0] > 2 or colours < 50:
            raise Wrong(f"{before[0]} colours before, {colours} on the page of details")
        self.screen.click(CONSOLE)

    def hears_the_console(self):
        self.screen.click(INSIDE)
        self.screen.run("xdotool", "type", "q")
        self.daemon.becomes("echoing", "shut off")
        time.sleep(1)
        self.screen.shoot("off")
        self.screen.keys("alt+f", "c")

    def shuts_down(self):
        window = self.screen.window(MANAGER)
        self.screen.run("xdotool", "windowfocus", window)
        self.screen.click(ROWS["waiting"])
        self.screen.click(SHUT_DOWN)
        self.daemon.becomes("waiting", "shut off")
        reason = self.daemon.virsh("domstate", "waiting", "--reason")
        if reason != "shut off (shutdown)":
            raise Wrong(reason)
        time.sleep(1)
        self.screen.shoot("all-off")

    def said(self):
        with open(os.path.join(self.daemon.top, "virt-manager.log"), encoding="utf-8", errors="replace") as file:
            return file.read()[-1500:]

    STEPS = [
        ("connects", connects),
        ("lists the guests", lists),
        ("starts guests", starts),
        ("draws live graphs", draws_graphs),
        ("pauses and resumes a guest", pauses),
        ("opens a guest's window", opens),
        ("serial console says what is typed", shows_the_console),
        ("shows the guest's details", shows_details),
        ("serial console is heard by the guest", hears_the_console),
        ("shuts a guest down", shuts_down),
    ]


def main():
    reason = missing()
    if reason is not None:
        print("1..0 # SKIP " + reason)
        return 0
    print(f"1..{len(Tour.STEPS)}")
    shutil.rmtree(PAGES, ignore_errors=True)
    os.mkdir(PAGES)
    failed = None
    with tempfile.TemporaryDirectory() as top:
        daemon = Daemon(top)
        client = daemon.start()
        for name, letters in GUESTS.items():
            client.define(DOCUMENT % (name, os.path.abspath(os.path.join(BUILD, "tests/machine/guest.elf")), letters))
        screen = Screen(daemon.environment)
        tour = Tour(daemon, screen)
        for number, (name, step) in enumerate(Tour.STEPS, 1):
            details = "not reached"
            if failed is None:
                try:
                    step(tour)
                    details = None
                except (Wrong, OSError, subprocess.SubprocessError) as error:
                    details = failed = f"{error}\n{tour.said()}"
                    screen.shoot("failed")
            print(f"{'not ok' if details else 'ok'} {number} - virt-manager {name}")
            for line in (details or "").splitlines():
                print("# " + line)
        print(f"# the pages are in {PAGES}", flush=True)
        if tour.manager is not None:
            tour.manager.terminate()
            tour.manager.wait(PATIENCE)
        screen.end()
        for name in GUESTS:
            daemon.virsh("destroy", name)
        daemon.end()
    return 1 if failed else 0


sys.exit(main())
