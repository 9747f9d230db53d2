# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each rule of check-style finds what it is for, and only there."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(os.environ.get("KILN_SRCDIR", ".")).resolve()
LICENCE = "/* SPDX-License-" + "Identifier: LGPL-2.1-or-later */\n"
PENDING = "TO" + "DO"

# Rule, file, a body that breaks it (once), and one that keeps to it.
CASES = [
    ("white-space", "x.c", "int x; \n", "int x;\n"),
    ("line-length", "x.c", "/* " + "x" * 100 + " */\n", "/* " + "x" * 90 + " */\n"),
    ("unfinished", "x.c", f"/* {PENDING}: more */\n", "/* mastodon */\n"),
    ("banned-function", "x.c", "int\nf(void)\n{\n    return atoi(a);\n}\n",
     "/* atoi(a) */\nconst char *x = \"atoi(a)\";\n"),
    ("goto", "x.c", "void\nf(void)\n{\n    goto out;\n}\n", "/* goto */\n"),
    ("raw-allocation", "x.c", "void *x = malloc(1);\n", "void *x = g_malloc(1);\n"),
    ("raw-close", "x.c", "void\nf(void)\n{\n    close(3);\n}\n", "void\nf(void)\n{\n    ops->close(3);\n}\n"),
    ("close-on-exec", "x.c", "int x = open(path, O_RDONLY);\n",
     "int x = open(path, O_RDONLY | O_CLOEXEC);\nint y = ops->open(path);\n"),
    ("close-on-exec", "x.c", "int x = dup(1);\n", "int x = fcntl(1, F_DUPFD_CLOEXEC, 0);\n"),
    ("error-not-set", "x.c", "gboolean\nf(int a, GError **error)\n{\n    if (a)\n        return FALSE;\n"
     "    return TRUE;\n}\n",
     "gboolean\nf(int a, GError **error)\n{\n    if (!g(a, error))\n        return FALSE;\n    if (a) {\n"
     "        kiln_error_set(error, 0, \"a\");\n        return FALSE;\n    }\n    return TRUE;\n}\n"),
    ("message-end", "x.c", "int x = kiln_error_set(error, 0, \"it broke.\");\n",
     "int x = kiln_error_set(error, 0, \"it broke: %s\", text);\n"),
    ("assert-on-guest-data", "x.c",
     "uint64_t\nf(void *opaque, uint64_t offset, unsigned size)\n{\n    g_assert(size == 1);\n    return 0;\n}\n",
     "uint64_t\nf(void *opaque)\n{\n    g_assert(opaque);\n    return 0;\n}\n"),
    ("include-by-room", "x.c", '#include "y.h"\n', '#include "low/y.h"\n'),
    ("light-process", "x.c", "#include <gio/gio.h>\n", "#include <glib.h>\n"),
    ("undocumented-function", "x.h", "\nvoid kiln_f(int a, int b);\n",
     "\n/* Does f. */\nvoid kiln_f(int a,\n            int b);\nvoid kiln_g(int a, int b);\n\nint kiln_h(int a);\n"),
    ("spec-version", "x.c", "/* virtio §2.1 */\n", "/* virtio 1.2 §2.1, §2.2 */\n"),
]


CASES.append(("spdx-line", "x.c", None, "int x;\n"))

# All cases are files of one tree, so that one run judges them.
found = {}
with tempfile.TemporaryDirectory() as folder:
    room = pathlib.Path(folder, "src", "low")
    room.mkdir(parents=True)
    for number, (rule, name, bad, good) in enumerate(CASES):
        ending = name[1:]
        (room / f"bad{number}{ending}").write_text("int x;\n" if bad is None else LICENCE + bad, "utf-8")
        (room / f"good{number}{ending}").write_text(LICENCE + good, "utf-8")
    run = subprocess.run([sys.executable, TOP / "build-aux/check-style", folder],
                         capture_output=True, text=True, check=False)
    rule = None
    for line in run.stdout.splitlines():
        if fault := re.match(r"  src/low/(\w+)\.", line):
            found.setdefault(fault[1], set()).add(rule)
        else:
            rule = line.partition(":")[0]

print(f"1..{2 * len(CASES)}")
for number, (rule, _, _, _) in enumerate(CASES):
    for at, (case, wanted) in enumerate(((f"bad{number}", {rule}), (f"good{number}", set()))):
        got = found.get(case, set())
        verdict = "ok" if got == wanted else "not ok"
        print(f"{verdict} {2 * number + at + 1} - {rule} {'finds' if wanted else 'leaves alone'}")
        if got != wanted:
            print(f"# {case}: found {sorted(got)}, wanted {sorted(wanted)}")
