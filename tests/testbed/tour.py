#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A tour of virsh's commands: many of them in one process, each with what it is to say.

    tour.py URI DIR [PART...]     takes the tour through the daemon at URI, with files in DIR; for trying it
"""
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True

import tour_definitions  # noqa: E402
from tour_definitions import No  # noqa: E402

MARK = "@@"


def run(uri, commands, patience=240):
    """Runs @commands in one virsh; returns what each has said, blanks run together.

    virsh goes on after a command that fails.  What fails says "error:", which is how it is known: one
    process has one status.
    """
    script = "\n".join(f"echo '\n{MARK}{i}\n'\n{command}" for i, command in enumerate(commands))
    environment = dict(os.environ, LC_ALL="C", EDITOR="true")
    done = subprocess.run(["virsh", "-q", "-c", uri, script], env=environment, timeout=patience, check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = done.stdout.decode(errors="replace")
    parts = re.split(rf"^{MARK}\d+$", said, flags=re.MULTILINE)
    if len(parts) != len(commands) + 1:
        raise ValueError(f"virsh came to {len(parts) - 1} of {len(commands)} commands: {said[-2000:]}")
    lines = ([" ".join(line.split()) for line in part.splitlines()] for part in parts[1:])
    return ["\n".join(line for line in some if line) for some in lines]


def complaint(said, wanted):
    """What is wrong, or None."""
    failed = re.search(r"^error: ", said, re.MULTILINE) is not None
    if isinstance(wanted, No):
        good = failed and " ".join(wanted.split()) in said
    elif isinstance(wanted, re.Pattern):
        good = not failed and wanted.search(said) is not None
    else:
        good = not failed and said == wanted
    return None if good else f"wanted {wanted!r}\nsaid:\n{said}"


class Tour:
    """The stops, for one daemon and one directory."""

    def __init__(self, uri, directory, values):
        self.uri = uri
        self.values = dict(values, DIR=directory)
        self.values.update(self.of_the_host())
        self.seen = set()
        for name, text in tour_definitions.DOCUMENTS.items():
            with open(f"{directory}/{name}.xml", "w", encoding="utf-8") as file:
                file.write(self.fill(text))
        host = re.search(r"<cpu>.*?</cpu>", run(uri, ["capabilities"])[0], re.DOTALL).group(0)
        with open(f"{directory}/host.xml", "w", encoding="utf-8") as file:
            file.write(host + "\n")

    @staticmethod
    def of_the_host():
        with open("/proc/meminfo", encoding="ascii") as file:
            memory = re.search(r"^MemTotal: +(\d+)", file.read(), re.MULTILINE).group(1)
        kiln = subprocess.run(["kiln", "--version"], capture_output=True, text=True, check=False).stdout
        return {"CPUS": str(os.cpu_count()), "MEMORY": memory, "HOSTNAME": os.uname().nodename,
                "VERSION": (re.findall(r"\d+\.\d+\.\d+", kiln) or ["0.1.0"])[0]}

    def fill(self, text):
        for name, value in self.values.items():
            text = text.replace(f"@{name}@", value)
        return text

    def wanted(self, wanted):
        if isinstance(wanted, re.Pattern):
            return re.compile(self.fill(wanted.pattern), wanted.flags)
        return type(wanted)(self.fill(wanted))

    def take(self, tap, title, stops, patience=240):
        """A line of TAP for each of @stops."""
        commands = [self.fill(command) for command, _ in stops]
        self.seen.update(command.split()[0] for command in commands)
        try:
            answers = run(self.uri, commands, patience)
        except (ValueError, subprocess.TimeoutExpired) as error:
            for command in commands:
                tap.line(False, f"{title}: virsh {command}", f"{error}")
            return
        for command, said, (_, wanted) in zip(commands, answers, stops):
            tap.line((wrong := complaint(said, self.wanted(wanted))) is None, f"{title}: virsh {command}", wrong)

    def left_out(self, groups, known):
        """What commands of virsh's @groups have not been tried, but for those @known."""
        some = run(self.uri, [f"help {group}" for group in groups])
        there = {line.split()[0] for text in some for line in text.splitlines()[1:]}
        return sorted(there - self.seen - set(known))


class PlainTap:
    """For trying it by hand."""

    bad = 0

    def line(self, good, name, details=None):
        self.bad += not good
        print("ok" if good else "not ok", "-", name)
        if not good:
            print("\n".join("    " + line for line in (details or "").splitlines()))


def main():
    uri, directory, *parts = sys.argv[1:]
    tap = PlainTap()
    tour = Tour(uri, directory, {"KERNEL": os.environ.get("KERNEL", "/k"), "INITRD": os.environ.get("INITRD", "/i")})
    for part in parts or ["HOST", "DEFINITION", "REFUSED"]:
        tour.take(tap, "tour", getattr(tour_definitions, part))
    print(tour.left_out(["domain", "monitor", "events", "host"], []))
    return 1 if tap.bad else 0


if __name__ == "__main__":
    sys.exit(main())
