#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# virt-install's own classes take the capabilities for a host that guests can be made on.
python=
for candidate in "$PYTHON3" /usr/bin/python3; do
    if PYTHONPATH=/usr/share/virt-manager "$candidate" -c 'import libvirt, virtinst' 2>/dev/null; then
        python=$candidate
        break
    fi
done
[ -n "$python" ] || { echo "1..0 # SKIP virtinst (package virtinst) is not there"; exit 0; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
"$KILN_BUILDDIR"/tests/driver/caps-print "$folder" || { echo "Bail out! caps-print failed"; exit 1; }
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/usr/share/virt-manager "$python" - "$folder" <<'PYTHON'
import sys, warnings
warnings.simplefilter("ignore")
from virtinst import VirtinstConnection, DomainCapabilities
from virtinst.capabilities import Capabilities

folder, number = sys.argv[1], 0
conn = VirtinstConnection("test:///default")
conn.open(lambda *_: None, None)
print("1..8")
def check(good, what):
    global number
    number += 1
    print("%sok %d - %s" % ("" if good else "not ", number, what))
for host in ("small", "large"):
    caps = Capabilities(conn, open("%s/%s-capabilities.xml" % (folder, host)).read())
    info = caps.guest_lookup(os_type="hvm", arch="x86_64", typ="kvm", machine="q35")
    check(caps.has_install_options() and info.hypervisor_type == "kvm", host + ": a guest can be made")
    check(info.emulator == "/usr/bin/kiln" and "pc-q35-kiln-1.0" in info.machines, host + ": its machine")
    dom = DomainCapabilities(conn, open("%s/%s-domcaps.xml" % (folder, host)).read())
    check(dom.supports_safe_host_passthrough() if hasattr(dom, "supports_safe_host_passthrough")
          else dom.cpu.get_mode("host-passthrough").supported, host + ": host-passthrough")
    check(dom.devices.disk.get_enum("bus").get_values() == ["virtio"] and
          not dom.devices.graphics.supported and
          any(m.usable == "yes" for m in dom.cpu.get_mode("custom").models), host + ": devices, models")
PYTHON
