#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stock virsh changes a definition through a real virtkilnd of the user's own; nothing runs."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

DOCUMENT = """<domain type='kvm'><name>web</name><memory unit='MiB'>128</memory><vcpu>4</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>/boot/vmlinuz</kernel></os><devices>
<disk type='file' device='disk'><driver name='kiln' type='raw'/><source file='{dir}/a.img'/>
<target dev='vda' bus='virtio'/></disk>
<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
<memballoon model='virtio'/></devices></domain>"""
LINK = """<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/>
<link state='down'/></interface>"""

# A command, whether it goes well, and what it prints.
STEPS = [
    ("define {dir}/web.xml", True, "defined"),
    ("domstats web", True, "vcpu.maximum=4"),
    ("domstats web --interface --enforce", True, "Domain: 'web'"),
    ("setvcpus web 9 --config", False, "9 > 4"),
    ("setvcpus web 2 --config --maximum", True, ""),
    ("vcpucount web --maximum --config", True, "2"),
    ("setmaxmem web 256M --config", True, ""),
    ("setmem web 300M --config", False, "cannot set memory higher than max memory"),
    ("setmem web 100M --config", True, ""),
    ("domstats web --balloon", True, "balloon.current=102400"),
    ("vcpupin web 1 0 --config", True, ""),
    ("vcpupin web --vcpu 1 --config", True, "1      0"),
    ("vcpupin web 7 0 --config", False, "vcpu"),
    ("emulatorpin web 0 --config", True, ""),
    ("iothreadadd web 3 --config", True, ""),
    ("iothreadinfo web --config", True, "3"),
    ("iothreaddel web 3 --config", True, ""),
    ("iothreaddel web 3 --config", False, "cannot find IOThread"),
    ("attach-disk web {dir}/b.img vdb --config", True, "attached"),
    ("attach-disk web {dir}/b.img vdb --config", False, "target vdb already exists"),
    ("domblklist web", True, "b.img"),
    ("domblkinfo web vda", True, "1048576"),
    ("blkdeviotune web vdb --total-bytes-sec 1000000 --config", True, ""),
    ("blkdeviotune web vdb --config", True, "total_bytes_sec: 1000000"),
    ("detach-disk web vdb --config", True, "detached"),
    ("detach-disk web vdb --config", False, "vdb"),
    ("update-device web {dir}/link.xml --config", True, "updated"),
    ("dumpxml web --inactive", True, "<link state='down'/>"),
    ("detach-interface web user --mac 52:54:00:00:00:01 --config", True, "detached"),
    ("schedinfo web --config", True, "posix"),
    ("memtune web --config", True, "unlimited"),
    ("console web", False, "not running"),
    ("undefine web", True, "undefined"),
]


def wait_for(path, daemon):
    while not os.path.exists(path) and daemon.poll() is None:
        time.sleep(0.01)  # until its socket is there


def main():
    virsh = shutil.which("virsh")
    if virsh is None:
        print("1..0 # SKIP virsh is not installed")
        return 0
    top = tempfile.mkdtemp(prefix="kiln-")
    os.mkdir(top + "/run", 0o700)
    env = dict(os.environ, HOME=top, XDG_RUNTIME_DIR=top + "/run", XDG_CONFIG_HOME=top + "/config",
               XDG_CACHE_HOME=top + "/cache", XDG_STATE_HOME=top + "/state", LC_ALL="C")
    for name, text in (("web.xml", DOCUMENT.format(dir=top)), ("link.xml", LINK)):
        with open(os.path.join(top, name), "w", encoding="utf-8") as file:
            file.write(text)
    for name in ("a.img", "b.img"):
        with open(os.path.join(top, name), "wb") as file:
            file.truncate(1 << 20)
    program = os.path.join(os.environ.get("KILN_BUILDDIR", "."), "virtkilnd")
    sock = top + "/run/libvirt/virtkilnd-sock"
    failed = 0
    with open(top + "/log", "wb") as log, \
            subprocess.Popen([program, "--session"], env=env, stdout=log, stderr=log) as daemon:
        wait_for(sock, daemon)
        print("1..%d" % len(STEPS))
        for i, (command, well, text) in enumerate(STEPS):
            run = subprocess.run(["timeout", "30", virsh, "-c", "kiln:///session?socket=" + sock] +
                                 command.format(dir=top).split(), env=env, check=False,
                                 stdin=subprocess.DEVNULL, capture_output=True, text=True)
            said = run.stdout + run.stderr
            good = (run.returncode == 0) == well and text in said
            failed += not good
            print("%s %d - %s" % ("ok" if good else "not ok", i + 1, command.replace(top, "")))
            if not good:
                print("# " + said.strip().replace("\n", "\n# "))
            sys.stdout.flush()
        daemon.send_signal(signal.SIGTERM)
        daemon.wait()
    shutil.rmtree(top)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
