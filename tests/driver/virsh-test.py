#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stock virsh against virtkilnd of a session of its own: a tour of what is done with domains.

A process that speaks as kiln's guests do stands in the place of kiln (fake-kiln), so no KVM is
needed; `kiln validate` is the real one.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get("KILN_BUILDDIR", "b")
DOCUMENT = """<domain type='kvm'>
  <name>web</name>
  <uuid>7c9e2f5e-5f0a-4b11-9c68-0b4f0c0a1f00</uuid>
  <memory unit='MiB'>128</memory>
  <vcpu>2</vcpu>
  <os><type>hvm</type><kernel>/boot/vmlinuz</kernel></os>
%s</domain>
"""
# Arguments of virsh; its exit status; what its output holds; what it does not hold.
TOUR = [
    ("version", 0, ["Running hypervisor: KILN"], []),
    ("list --all", 0, [], ["web"]),
    ("define @bad", 1, ["XML error: line 7, column", "domain/nonsense"], []),
    ("define @later", 1, ["unsupported configuration: line 7", "domain/os/nvram"], ["XML error"]),
    ("domstate web", 1, ["failed to get domain 'web'"], []),
    ("define --validate @web", 0, [], []),
    ("define @web", 0, [], []),
    ("list --all --name", 0, ["web"], []),
    ("list --name", 0, [], ["web"]),
    ("list --inactive --persistent --no-autostart --without-snapshot --name", 0, ["web"], []),
    ("domuuid web", 0, ["7c9e2f5e-5f0a-4b11-9c68-0b4f0c0a1f00"], []),
    ("dominfo web", 0, ["shut off", "CPU(s):         2", "131072 KiB", "Autostart:      disable"], []),
    ("domstate web --reason", 0, ["shut off"], []),
    ("autostart web", 0, [], []),
    ("list --all --autostart --name", 0, ["web"], []),
    ("autostart web --disable", 0, [], []),
    ("list --all --autostart --name", 0, [], ["web"]),
    ("desc web --title Shop", 0, [], []),
    ("desc web --title", 0, ["Shop"], []),
    ("list --all --title", 0, ["Shop"], []),
    ("desc web --config The_shop", 0, [], []),
    ("metadata web http://a.example/ --key a --set <app><v>1</v></app>", 0, [], []),
    ("metadata web http://a.example/", 0, ["<app>", "<v>1</v>"], ["a:app"]),
    ("metadata web http://b.example/", 1, ["metadata not found"], []),
    ("metadata web http://a.example/ --remove", 0, [], []),
    ("set-lifecycle-action web crash preserve", 0, [], []),
    ("dumpxml web", 0, ["<title>Shop</title>", "<description>The_shop</description>",
                        "<on_crash>preserve</on_crash>"], ["a.example"]),
    ("domrename web shop", 0, [], []),
    ("domstate web", 1, [], []),
    ("snapshot-list shop --name", 0, [], ["error"]),
    ("checkpoint-list shop --name", 0, [], ["error"]),
    ("start shop --paused", 0, [], []),
    ("start shop", 1, ["already active"], []),
    ("domstate shop --reason", 0, ["paused"], []),
    ("resume shop", 0, [], []),
    ("list --state-running --name", 0, ["shop"], []),
    ("domid shop", 0, ["1"], []),
    ("suspend shop", 0, [], []),
    ("domstate shop", 0, ["paused"], []),
    ("resume shop", 0, [], []),
    ("resume shop", 1, ["already running"], []),
    ("reset shop", 0, [], []),
    ("domcontrol shop", 0, ["ok"], []),
    ("domjobinfo shop", 0, ["None"], []),
    ("dumpxml shop", 0, ["id='1'"], []),
    ("dumpxml shop --inactive", 0, ["<name>shop</name>"], ["id='1'"]),
    ("domrename shop web", 1, ["cannot rename active domain"], []),
    ("save shop /nowhere", 1, ["guests cannot be saved yet"], []),
    ("migrate shop kiln+ssh://host/system", 1, [], []),
    ("undefine shop --managed-save --snapshots-metadata --checkpoints-metadata", 0, [], []),
    ("list --transient --name", 0, ["shop"], []),
    ("destroy shop", 0, [], []),
    ("domstate shop", 1, [], []),
    ("create @web", 0, [], []),
    ("define @web", 0, [], []),
    ("list --persistent --state-running --name", 0, ["web"], []),
    ("destroy web --graceful", 0, [], []),
    ("undefine web", 0, [], []),
    ("list --all --name", 0, [], ["web", "shop"]),
]
EVENTS = ["Defined Added", "Started Booted", "Resumed Unpaused", "Suspended Paused",
          "Stopped Destroyed", "Undefined Removed"]


class Session:
    """A virtkilnd with directories of its own."""

    def __init__(self, top):
        self.top = top
        self.files = {}
        self.environment = dict(os.environ, HOME=top, LC_ALL="C", LIBVIRT_AUTOSTART="0")
        for name in ("RUNTIME_DIR", "CONFIG_HOME", "CACHE_HOME", "DATA_HOME"):
            self.environment["XDG_" + name] = os.path.join(top, name.lower())
            os.mkdir(self.environment["XDG_" + name], 0o700)
        # GLib's threads hand over by locks that ThreadSanitizer does not see; the rooms' own tests
        # know of those (tests/lib/tsan-gio.c), a whole daemon does not.
        self.environment["TSAN_OPTIONS"] = os.environ.get("TSAN_OPTIONS", "") + ":report_bugs=0"
        self.socket = os.path.join(self.environment["XDG_RUNTIME_DIR"], "libvirt/virtkilnd-sock")
        self.environment["LIBVIRT_DEFAULT_URI"] = "kiln:///session?socket=" + self.socket
        for name, more in (("web", ""), ("bad", "<nonsense/>"), ("later", "<os><nvram/></os>")):
            self.files["@" + name] = os.path.join(top, name + ".xml")
            text = DOCUMENT % more
            if name == "later":
                text = (DOCUMENT % "").replace("</os>", "\n<nvram/></os>")
            with open(self.files["@" + name], "w", encoding="utf-8") as out:
                out.write(text)
        # The daemon takes the kiln that is beside it.
        program = os.path.join(top, "virtkilnd")
        shutil.copy(os.path.join(BUILD, "virtkilnd"), program)
        with open(os.path.join(top, "kiln"), "w", encoding="utf-8") as out:
            out.write("#!/bin/sh\n[ \"$1\" != validate ] || exec '%s' \"$@\"\nexec '%s' \"$@\"\n"
                      % (os.path.abspath(os.path.join(BUILD, "kiln")),
                         os.path.abspath(os.path.join(BUILD, "tests/driver/fake-kiln"))))
        os.chmod(os.path.join(top, "kiln"), 0o755)
        self.process = subprocess.Popen([program, "--session"], env=self.environment)
        deadline = time.monotonic() + 20
        while not os.path.exists(self.socket) and time.monotonic() < deadline:
            time.sleep(0.01)

    def command(self, line):
        """The arguments of a line of the tour."""
        return ["virsh", "-q"] + [self.files.get(word, word) for word in line.split(" ")]

    def virsh(self, line):
        """Exit status and all that it said."""
        done = subprocess.run(self.command(line), env=self.environment, text=True, timeout=60,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout

    def end(self):
        self.process.terminate()
        return self.process.wait(20)


def missing():
    """Why this cannot run here."""
    if shutil.which("virsh") is None:
        return "virsh is not there (Debian: libvirt-clients)"
    for name in ("virtkilnd", "kiln", "tests/driver/fake-kiln"):
        if not os.path.exists(os.path.join(BUILD, name)):
            return name + " is not built"
    return None


class Tap:
    """Lines of TAP."""

    def __init__(self):
        self.number = 0
        self.failed = False

    def test(self, right, name, said):
        self.number += 1
        print("%s %d - %s" % ("ok" if right else "not ok", self.number, name))
        if not right:
            self.failed = True
            print("\n".join("# " + line for line in said.split("\n")))


def main():
    """A line of TAP for each line of the tour, one for the events, one for the daemon's end."""
    reason = missing()
    if reason is not None:
        print("1..0 # SKIP " + reason)
        return 0
    tap = Tap()
    print("1..%d" % (len(TOUR) + 2))
    with tempfile.TemporaryDirectory() as top:
        session = Session(top)
        heard = os.path.join(top, "events")
        with open(heard, "w", encoding="utf-8") as out:
            listener = subprocess.Popen(session.command("event --event lifecycle --loop"),
                                        env=session.environment, stdin=subprocess.DEVNULL,
                                        stdout=out, stderr=subprocess.STDOUT)
        time.sleep(0.5)
        for line, status, present, absent in TOUR:
            code, said = session.virsh(line)
            tap.test(code == status and all(text in said for text in present) and
                     not any(text in said for text in absent), "virsh " + line,
                     "exit status %d: %s" % (code, said))
        listener.terminate()
        listener.wait(20)
        with open(heard, encoding="utf-8") as source:
            said = source.read()
        tap.test(all(text in said for text in EVENTS), "virsh event", said)
        tap.test(session.end() == 0, "virtkilnd ends when it is asked to", "")
    return 1 if tap.failed else 0


sys.exit(main())
