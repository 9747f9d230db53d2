#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's own test documents, of its source package (corpus-source), through virtkilnd.

A document is right if it is taken and what is given back is valid by libvirt's schema and, when it is
defined again, the same; or if it is refused with the reason: the element or attribute which
kiln-domain(5) says is not offered, or, where libvirt has the document as a bad one, any.  No fault may
name what the man page offers without a condition.  95% of the documents must be right.

Those of type kvm are taken as they are; then all for x86 with what is most often in the way of what
kiln has (machine, type, how it boots) replaced, so that more of them come further.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

sys.dont_write_bytecode = True
import wire  # noqa: E402

SOURCE = os.environ.get("KILN_SRCDIR", ".")
SCHEMA = "/usr/share/libvirt/schemas/domain.rng"
WANTED = 0.95
FAULT = re.compile(r"line (\d+), column \d+: ([-\w/\[\]@:]+): (.*)")
SHOWN = 40


class Row:
    """What the man page says of one element or attribute."""

    def __init__(self, pattern, verdict, values, conditions):
        self.steps, _, self.attribute = pattern.partition("@")
        self.steps = self.steps.split("/")
        self.verdict = verdict
        self.values = values
        self.conditions = conditions

    def fits(self, nodes, attribute):
        """Whether this row is about @attribute (or None) of the last of @nodes, the way from the root."""
        steps = self.steps
        if steps[-1] == "**":
            if len(nodes) < len(steps) - 1:
                return False
            nodes, steps = nodes[:len(steps) - 1], steps[:-1]
        elif self.attribute not in (("*", attribute) if attribute else ("",)):
            return False
        return len(nodes) == len(steps) and all(map(self.step_fits, steps, nodes))

    @staticmethod
    def step_fits(step, node):
        name, _, rest = step.partition("[")
        key, _, value = rest.rstrip("]").partition("=")
        return name in ("*", node.tag) and (not rest or node.get(key) == value)

    def offers(self, value):
        """Whether @value, or None for the thing itself, is among what is offered."""
        if self.verdict == "No":
            return False
        return value is None or self.values is None or any(
            value.startswith(word[:-1]) if word.endswith("*") else value == word for word in self.values)


def rows():
    """The man page's table."""
    with open(os.path.join(SOURCE, "man/kiln-domain.5"), encoding="utf-8") as file:
        page = file.read()
    table = page[page.index("BEGIN RULES"):page.index("END RULES")]
    found = []
    for entry in table.split("\n.It Li ")[1:]:
        lines = entry.split("\n")
        verdict = lines[1].split()[1].replace("\\&", "")
        values = lines[2][4:].split() if lines[1].endswith(" :") else None
        found.append(Row(lines[0], verdict, values, "(with conditions, which faults name)" in lines))
    return found


def way(root, path):
    """The elements from @root to what @path, such as 'domain/devices/disk[2]', names; or None."""
    nodes = [root]
    for step in path.split("/")[1:]:
        name, _, number = step.partition("[")
        same = nodes[-1].findall(name)
        index = int(number.rstrip("]")) - 1 if number else 0
        if index >= len(same):
            return None
        nodes.append(same[index])
    return nodes


class Document:
    """One of libvirt's."""

    def __init__(self, path, text):
        self.path = path
        self.text = text

    def name(self):
        return "/".join(self.path.split("/")[-2:])

    def is_bad(self):
        """Whether libvirt's own tests have it refused, and never taken."""
        base = re.sub(r"\.xml$", "", self.path)
        return bool(glob.glob(glob.escape(base) + ".*err")) and not glob.glob(glob.escape(base) + ".*args")

    def moved(self):
        """The same as a guest of the one machine and type, which boots a kernel."""
        text = re.sub(r"(<domain\b[^>]*\btype=['\"])qemu", r"\1kvm", self.text)
        text = re.sub(r"(<type\b[^>]*\bmachine=['\"])[-.\w]+", r"\1q35", text)
        if "<kernel>" not in text:
            text = text.replace("</os>", "<kernel>/boot/vmlinuz</kernel></os>", 1)
        return Document(self.path, text)


def documents(directory, types):
    """Of guests of x86-64 in the folders of @directory."""
    for path in sorted(glob.glob(os.path.join(directory, "*/*.xml"))):
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        kind = re.search(r"<domain\b[^>]*\btype=['\"](\w+)['\"]", text)
        arch = re.search(r"<type\b[^>]*\barch=['\"](\w+)", text)
        # The status of a domain and the like have one within, with elements that are libvirtd's own.
        root = re.search(r"<(\w[-\w]*)", re.sub(r"<!--.*?-->|<\?.*?\?>", "", text, flags=re.DOTALL))
        ours = kind is not None and kind[1] in types and (arch is None or arch[1] == "x86_64")
        if ours and root is not None and root[1] == "domain":
            yield Document(path, text)


class Corpus:
    """The run of the documents through a daemon."""

    def __init__(self, daemon, client):
        self.daemon = daemon
        self.client = client
        self.rows = rows()
        self.taken = self.refused = 0
        self.wrong = []

    def fault(self, line, root):
        """What the man page says of the fault of one line: 'said', 'condition' or what is wrong with it."""
        match = FAULT.match(line)
        if match is None:
            return f"names no place: {line}"
        path, attribute = match[2].partition("@")[::2]
        nodes = way(root, path)
        if nodes is None:
            return f"names what is not there: {line}"
        row = next((row for row in self.rows if row.fits(nodes, attribute)), None)
        if row is None:
            # The man page has a row for all that is offered; but libvirt's vocabulary is known whole.
            return f"is libvirt's: {line}" if match[3].endswith("not known here") else "said"
        value = (nodes[-1].get(attribute) if attribute else nodes[-1].text) if row.values is not None else None
        if not row.offers(value):
            return "said"
        return "condition" if row.conditions else f"the man page offers it: {line}"

    def refusal(self, document, error):
        """What is wrong with @error, or None."""
        if error.code not in (67, 27):
            return str(error)
        try:
            root = ET.fromstring(document.text)
        except ET.ParseError:
            return None
        said = [self.fault(line, root) for line in str(error).split(": ", 2)[2].split("\n") if line != "and more"]
        if document.is_bad():
            return None
        unsaid = [fault for fault in said if fault not in ("said", "condition")]
        if unsaid:
            return unsaid[0]
        return None if "said" in said else f"only conditions: {error}"

    def round_trip(self, given):
        """What is wrong with what is given back of the definition, or None."""
        path = os.path.join(self.daemon.top, "document.xml")
        text = self.client.xml(given, wire.XML_INACTIVE)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        done = subprocess.run(["xmllint", "--noout", "--relaxng", SCHEMA, path], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            return "is not valid by libvirt's schema: " + done.stderr[:400].replace("\n", " ")
        again = self.client.xml(self.client.define(text), wire.XML_INACTIVE)
        return None if again == text else "is another when it is defined again"

    def run(self, document):
        try:
            given = self.client.define(document.text)
        except wire.Refused as refused:
            self.refused += 1
            wrong = self.refusal(document, refused)
        else:
            self.taken += 1
            try:
                wrong = self.round_trip(given)
            except wire.Refused as refused:
                wrong = f"is refused when it is defined again: {refused}"
            self.client.undefine(wire.Reader(given).string())
        if wrong is not None:
            self.wrong.append(f"{document.name()}: {wrong}")

    def end(self, number, name, least_taken):
        """Prints the line of TAP; returns whether it was right."""
        count = self.taken + self.refused
        right = (count - len(self.wrong)) / count if count > 0 else 0
        good = right >= WANTED and self.taken >= least_taken
        print(f"{'ok' if good else 'not ok'} {number} - {name}: {100 * right:.1f}% right of {count}, "
              f"{self.taken} of them taken")
        for line in self.wrong[:SHOWN]:
            print("# " + line.split("\n")[0][:300])
        return good


def main():
    reason = wire.missing()
    found = None
    if reason is None:
        found = subprocess.run([os.path.join(SOURCE, "tests/driver/corpus-source")], capture_output=True, text=True,
                               check=False)
        if found.returncode == 77:
            reason = found.stderr.strip()
        elif found.returncode != 0:
            print(f"1..1\nnot ok 1 - libvirt's tests are had\n# {found.stderr.strip()}")
            return 1
    if reason is not None:
        print("1..0 # SKIP " + reason)
        return 0
    print("1..2")
    good = True
    directory = found.stdout.strip()
    with tempfile.TemporaryDirectory() as top:
        daemon = wire.Daemon(top)
        client = daemon.start()
        try:
            corpus = Corpus(daemon, client)
            for document in documents(directory, ("kvm",)):
                corpus.run(document)
            good &= corpus.end(1, "libvirt's documents of type kvm", 0)
            corpus = Corpus(daemon, client)
            for document in documents(directory, ("kvm", "qemu")):
                corpus.run(document.moved())
            good &= corpus.end(2, "all of x86, as kvm guests of a q35 that boot a kernel", 60)
        finally:
            daemon.kill()
    return 0 if good else 1


sys.exit(main())
