#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the device families write is valid by libvirt's own published schema."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile

SCHEMA = "/usr/share/libvirt/schemas/domain.rng"
TOP = os.environ.get("KILN_SRCDIR", os.path.join(os.path.dirname(__file__), "..", ".."))


def domain_of(devices):
    """A least domain around the <devices> element of a golden file."""
    return (
        "<domain type='kvm'><name>golden</name><memory>1048576</memory>"
        "<os><type arch='x86_64' machine='q35'>hvm</type></os>" + devices + "</domain>"
    )


def main():
    """One line of TAP a golden file."""
    missing = None
    if not os.path.exists(SCHEMA):
        missing = SCHEMA + " is not there (Debian: libvirt0)"
    elif shutil.which("xmllint") is None:
        missing = "xmllint is not there (Debian: libxml2-utils)"
    goldens = sorted(glob.glob(os.path.join(TOP, "tests/domain/golden-devices/*.out.xml")))
    if missing is not None:
        print("1..0 # SKIP " + missing)
        return 0
    print("1..%d" % len(goldens))
    failed = len(goldens) == 0
    with tempfile.TemporaryDirectory() as directory:
        for number, golden in enumerate(goldens, 1):
            path = os.path.join(directory, os.path.basename(golden))
            with open(golden, encoding="utf-8") as source, open(path, "w", encoding="utf-8") as out:
                out.write(domain_of(source.read()))
            lint = subprocess.run(
                ["xmllint", "--nonet", "--noout", "--relaxng", SCHEMA, path],
                capture_output=True, text=True, check=False, timeout=60,
            )
            for line in lint.stderr.splitlines() if lint.returncode != 0 else []:
                print("# " + line)
            failed = failed or lint.returncode != 0
            print("%sok %d - %s" % ("not " if lint.returncode != 0 else "", number,
                                    os.path.basename(golden)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
