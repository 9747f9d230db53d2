# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a guest found out about itself (guest-init's command 'facts'), and what should be true of it."""
import base64
import io
import os
import re
import subprocess
import tarfile

from document import SYSINFO

# A line of the guest's kernel log that has one of these is a fault of its machine ...
BAD_LINES = re.compile(
    r"ACPI (BIOS )?(Error|Warning)|\bBUG\b|WARNING:|WARN_ON|[Ff]irmware [Bb]ug|FW ?BUG|Call Trace|Oops"
    r"|general protection|unchecked MSR|call stack|lockup|rcu.*stall|not responding|IRQ.*nobody cared"
    r"|APIC.*(error|broken)|MP-BIOS bug|tsc.*(unstable|warp)|Kernel panic"
)

# ... but for two, which are the emulated processor's, since every guest of this testbed has them under
# Debian's QEMU as well (suite --vmm qemu).  Its XSAVE gives sizes that the kernel doubts, once, with a
# trace; and its TSCs run apart, which guests with several processors notice.
TSC_WARNING = re.compile(r"tsc: Marking TSC unstable due to TSCs unsynchronized$")
XSAVE_WARNING = re.compile(r"WARNING: CPU: 0 PID: 0 at arch/x86/kernel/fpu/xstate\.c:\d+ ")
# A line that only repeats what the kernel was told is none either.
HARMLESS = re.compile(r"ommand line: |stall warnings suppressed")


def unpack(archive):
    """The files of a facts archive (base64 of a tar.gz): a dictionary from name to bytes."""
    # The console is the kernel's too: whatever it had to say meanwhile is a fault, and shown.
    strange = [line.decode(errors="replace").strip() for line in archive.splitlines()
               if not re.fullmatch(rb"[A-Za-z0-9+/]*={0,2}\r*", line)]
    if strange:
        raise ValueError("amid the archive on the console: " + " | ".join(strange[:20]))
    files = {}
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(archive)), mode="r:gz") as tar:
        for member in tar:
            if member.isfile():
                files[member.name.removeprefix("./")] = tar.extractfile(member).read()
    return files


def text(files, name):
    return files.get(name, b"").decode(errors="replace")


def check_processors(guest, files):
    count = int(text(files, "nproc"))
    if count != guest.vcpus:
        return f"nproc says {count}, the document {guest.vcpus}"
    return None


def check_memory(guest, files):
    """/proc/iomem's RAM is what the machine offers; MemTotal is what the kernel left of it."""
    ram = 0
    for first, last in re.findall(r"^([0-9a-f]+)-([0-9a-f]+) : System RAM", text(files, "iomem"), re.M):
        ram += int(last, 16) + 1 - int(first, 16)
    wanted = guest.memory << 20
    # Below: the ROM area under 1 MiB, and tables that firmware keeps.
    if not wanted - (2 << 20) <= ram <= wanted:
        return f"{ram} bytes of RAM in the memory map, the document says {wanted}"
    total = int(re.search(r"MemTotal: +(\d+) kB", text(files, "meminfo")).group(1)) << 10
    if not wanted * 0.94 - (72 << 20) <= total <= wanted:
        return f"MemTotal is {total} bytes of {wanted}"
    return None


def check_topology(guest, files):
    found = {}
    for line in text(files, "lscpu").splitlines():
        name, _, value = line.partition(":")
        found[name.strip()] = value.strip()
    sockets, cores, threads = guest.topology
    wanted = {
        "CPU(s)": guest.vcpus,
        "Socket(s)": sockets,
        "Core(s) per socket": cores,
        "Thread(s) per core": threads,
    }
    wrong = [f"{name} {found.get(name)}, not {value}" for name, value in wanted.items()
             if found.get(name) != str(value)]
    return "lscpu: " + "; ".join(wrong) if wrong else None


def check_smbios(guest, files):
    output = text(files, "dmidecode")
    section = re.search(r"System Information\n((?:\t.*\n)+)", output)
    if section is None:
        return f"dmidecode found no System Information: {output[-300:]}"
    found = dict(re.findall(r"\t([^:\n]+): (.*)\n", section.group(1)))
    wanted = {theirs: value for theirs, value in SYSINFO["system"].values()}
    wanted["UUID"] = guest.uuid
    wrong = [f"{name} is '{found.get(name)}', not '{value}'" for name, value in wanted.items()
             if found.get(name) != value]
    for complaint in text(files, "dmidecode-complaints").splitlines():
        wrong.append(f"dmidecode says: {complaint.strip()}")
    return "; ".join(wrong) if wrong else None


def check_acpi(guest, files, directory):
    """Every table reads back without complaint, and what iasl reads out of the AML it also compiles."""
    tables = {name: data for name, data in files.items() if name.startswith("acpi/") and name.endswith(".dat")}
    names = {os.path.basename(name)[:4].upper() for name in tables}
    missing = {"DSDT", "FACP", "APIC", "MCFG"} - names
    if missing:
        return f"acpidump found no {', '.join(sorted(missing))} ({text(files, 'acpidump.log').strip()[-300:]})"
    where = f"{directory}/{guest.name}.acpi"
    os.mkdir(where)
    for name, data in tables.items():
        path = f"{where}/{os.path.basename(name)}"
        with open(path, "wb") as file:
            file.write(data)
        complaint = iasl(where, ["-d", path])
        if complaint is None and data[:4] in (b"DSDT", b"SSDT"):
            complaint = iasl(where, ["-tc", path[: -len(".dat")] + ".dsl"])
        if complaint is not None:
            return f"{os.path.basename(name)}: {complaint}"
    return None


def iasl(where, arguments):
    result = subprocess.run(
        ["iasl", *arguments], cwd=where, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False
    )
    output = result.stdout.decode(errors="replace")
    complaints = re.findall(
        r"^.*(?:\bError\b|[Ii]ncorrect|[Ii]nvalid|Could not|exceeds|[1-9]\d* Errors).*$", output, re.M)
    if result.returncode != 0 or complaints:
        return f"iasl {' '.join(arguments[:1])} status {result.returncode}: " + "; ".join(complaints[:5])
    return None


def check_log(guest, files):
    """No line of the kernel's log finds fault with the machine."""
    lines = text(files, "dmesg").splitlines()
    if int(text(files, "dmesg-lines")) < 100:
        return "the kernel's log has under 100 lines"
    bad = []
    in_xsave_trace = False
    xsave_seen = False
    for line in lines:
        if XSAVE_WARNING.search(line) and not xsave_seen:
            in_xsave_trace = xsave_seen = True
            continue
        if in_xsave_trace:
            in_xsave_trace = "end trace" not in line
            if "Call Trace" in line:
                continue
        if BAD_LINES.search(line) and not TSC_WARNING.search(line) and not HARMLESS.search(line):
            bad.append(line.strip())
    return "kernel log: " + "\n".join(bad[:10]) if bad else None
