#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The qcow2 layer against QEMU's tools, both ways: images of qemu-img with many combinations of
options, random requests by block-tool, then `qemu-img check` and `compare`; and what qemu-io wrote,
read by block-tool.

Usage: qcow2-qemu-test.py [--full] [--seed N] [--only TEXT]
"""
import argparse
import itertools
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

BUILD = pathlib.Path(os.environ.get("KILN_BUILDDIR", "."))
TOOL = BUILD / "tests/block/block-tool"
MIB = 1 << 20


class Failure(Exception):
    pass


def run(*arguments, ok=(0,)):
    done = subprocess.run([str(a) for a in arguments], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=300,
                          env={**os.environ, "KILN_MODULE_DIR": str(BUILD)})
    if done.returncode not in ok:
        raise Failure(f"{' '.join(map(str, arguments))}: status {done.returncode}\n{done.stdout}")
    return done


def tool(*arguments, ok=(0,)):
    return run(TOOL, *arguments, ok=ok)


def check(image):
    run("qemu-img", "check", "-q", "-f", "qcow2", image)


def compare(image, raw):
    run("qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", image, raw)


def cluster_bytes(options):
    return {"512": 512, "4k": 4096, "16k": 16384, "64k": 65536, "2M": 2 * MIB}[
        options.get("cluster_size", "64k")]


def create(image, size, options, backing=None, backing_format=None):
    text = ",".join(f"{key}={value}" for key, value in options.items())
    command = ["qemu-img", "create", "-q", "-f", "qcow2"]
    if text:
        command += ["-o", text]
    if backing is not None:
        command += ["-u"] if backing_format is None else ["-F", backing_format]
        command += ["-b", backing]
    run(*command, image, str(size))


def qemu_writes(image, size, rng, count=12):
    """Random writes, zeroes and discards of qemu-io."""
    commands = []
    for _ in range(count):
        offset = rng.randrange(size // 512) * 512
        length = min(rng.randrange(1, 400) * 512, size - offset)
        command = rng.choice(["write -P %d" % rng.randrange(1, 255)] * 4 +
                             ["write -z", "write -z -u", "discard"])
        commands += ["-c", f"{command} {offset} {length}"]
    run("qemu-io", "-f", "qcow2", *commands, image)


class Work:
    """A directory, and the images in it."""

    def __init__(self, rng, size):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="kiln-qcow2-"))
        self.rng = rng
        self.size = size
        self.image = self.dir / "image.qcow2"
        self.model = self.dir / "model.raw"

    def close(self):
        shutil.rmtree(self.dir)

    def make(self, options, backing):
        name = None
        if "data_file" in options:
            options = {**options, "data_file": self.dir / "data.raw"}
        if backing == "raw":
            name = "backing.raw"
            (self.dir / name).write_bytes(self.rng.randbytes(self.size // 2))
            create(self.image, self.size, options, name, "raw")
        elif backing == "qcow2":
            name = "backing.qcow2"
            create(self.dir / name, self.size * 3 // 4, {"compat": "1.1"})
            qemu_writes(self.dir / name, self.size * 3 // 4, self.rng)
            create(self.image, self.size, options, name, "qcow2")
        else:
            create(self.image, self.size, options)

    def compress(self, options):
        """The image again, with all of its data compressed."""
        other = self.dir / "other.qcow2"
        text = ",".join(f"{k}={v}" for k, v in options.items() if k != "preallocation")
        run("qemu-img", "convert", "-c", "-f", "qcow2", "-O", "qcow2", "-o", text, self.image,
            other)
        other.rename(self.image)

    def take_model(self):
        run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", self.image, self.model)

    def same(self):
        """block-tool reads what QEMU reads."""
        tool("-r", self.image, "dump", self.dir / "dump.raw")
        run("cmp", self.dir / "dump.raw", self.model)


def one(rng, options, backing, snapshot, compressed, count, async_):
    size = rng.choice([3 * MIB, 5 * MIB + 512 * 7, 8 * MIB])
    if cluster_bytes(options) == 2 * MIB:
        size = 13 * MIB + 512
    work = Work(rng, size)
    try:
        work.make(options, backing)
        qemu_writes(work.image, size, rng)
        if compressed:
            work.compress(options)
        if snapshot:
            run("qemu-img", "snapshot", "-c", "snap", work.image)
            qemu_writes(work.image, size, rng, 4)
        work.take_model()
        work.same()
        shutil.copy(work.image, work.dir / "before.qcow2")
        extra = ["-a", rng.randrange(1, 1 << 30)] if async_ else []
        if rng.randrange(3) == 0:
            extra += ["-n"]
        if rng.randrange(3) == 0:
            extra += ["-c", "1024"]
        for _ in range(2):
            tool(*extra, work.image, "random", rng.randrange(1 << 30), count,
                 rng.choice([1, 4, 24]), work.model)
            check(work.image)
            compare(work.image, work.model)
        qemu_writes(work.image, size, rng)
        check(work.image)
        work.take_model()
        work.same()
        if snapshot:
            run("qemu-img", "snapshot", "-d", "snap", work.image)
            check(work.image)
            tool(*extra, work.image, "random", rng.randrange(1 << 30), count, 8, work.model)
            check(work.image)
            compare(work.image, work.model)
        if "data_file" not in options and (options.get("compat") != "0.10" or not snapshot):
            tool(work.image, "resize", size + 3 * MIB)
            with open(work.model, "ab") as model:
                model.truncate(size + 3 * MIB)
            check(work.image)
            compare(work.image, work.model)
    except Failure:
        kept = pathlib.Path(tempfile.gettempdir()) / "kiln-qcow2-failed"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(work.dir, kept)
        raise
    finally:
        work.close()


def combinations():
    """All that make sense, in no order."""
    for compat, cluster, prealloc, lazy, extended, bits, zipped, backing, snapshot, compressed in \
            itertools.product(["0.10", "1.1"], ["512", "4k", "64k", "2M"],
                              ["off", "metadata", "falloc", "full"], [False, True], [False, True],
                              [1, 2, 4, 8, 16, 32, 64], ["zlib", "zstd"],
                              [None, "raw", "qcow2"], [False, True], [False, True]):
        options = {"compat": compat, "cluster_size": cluster}
        if compat == "0.10" and (lazy or extended or bits != 16 or zipped == "zstd"):
            continue
        if extended and cluster not in ("64k", "2M"):
            continue
        if backing and prealloc != "off" and not extended:
            continue
        if snapshot and bits == 1:
            continue
        if compressed and (prealloc != "off" or bits in (1, 2, 4, 8) or backing):
            continue
        if zipped == "zstd" and not compressed:
            continue
        if prealloc != "off":
            options["preallocation"] = prealloc
        if compat == "1.1":
            options["lazy_refcounts"] = "on" if lazy else "off"
            options["extended_l2"] = "on" if extended else "off"
            options["refcount_bits"] = bits
            options["compression_type"] = zipped
        yield options, backing, snapshot, compressed


DATA_FILES = [
    ({"compat": "1.1", "cluster_size": "4k", "data_file": "", "data_file_raw": "on"}, None),
    ({"compat": "1.1", "data_file": "", "lazy_refcounts": "on"}, "qcow2"),
    ({"compat": "1.1", "data_file": "", "extended_l2": "on"}, "raw"),
    ({"compat": "1.1", "data_file": "", "preallocation": "metadata"}, None),
]

QUICK = [
    ({"compat": "1.1"}, None, False, False),
    ({"compat": "0.10", "cluster_size": "4k"}, "qcow2", True, False),
    ({"compat": "1.1", "extended_l2": "on", "cluster_size": "64k"}, "raw", False, False),
    ({"compat": "1.1", "refcount_bits": "1", "cluster_size": "512"}, None, False, False),
    ({"compat": "1.1", "compression_type": "zstd"}, None, True, True),
    ({"compat": "1.1", "preallocation": "metadata", "lazy_refcounts": "on"}, None, False, False),
    ({"compat": "1.1", "compression_type": "zlib", "cluster_size": "4k"}, None, False, True),
    ({"compat": "1.1", "cluster_size": "4k", "data_file": ""}, "raw", False, False),
]


def dirty(rng):
    """QEMU is killed with lazy refcounts: the image is repaired when it is opened."""
    work = Work(rng, 8 * MIB)
    try:
        work.make({"compat": "1.1", "lazy_refcounts": "on"}, None)
        subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 0 1M", "-c", "write -P 9 3M 64k",
                        "-c", "flush", "-c", "abort", work.image],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if "dirty" not in run("qemu-img", "info", "-U", work.image).stdout and \
                run("qemu-img", "check", work.image, ok=(0, 1, 2, 3)).returncode == 0:
            raise Failure("the image is not dirty")
        tool(work.image, "read", 0, MIB, 7, "read", 3 * MIB, 65536, 9, "write", 4 * MIB, 4096, 5)
        check(work.image)
        tool("-r", work.image, "read", 4 * MIB, 4096, 5)
    finally:
        work.close()


def table_ends(rng):
    """A row of clusters (a longer L1 table) just where the refcount table ends, which grows for it."""
    for short in range(0, 24, 3):
        work = Work(rng, 2 * MIB)
        try:
            work.make({"compat": "1.1", "cluster_size": "512", "refcount_bits": "64"}, None)
            # One cluster of the table counts 64 blocks of 64 clusters: 2 MiB.
            while (room := 2 * MIB - work.image.stat().st_size - short * 512) > 0:
                at = getattr(work, "at", 0)
                length = max(room // 2 // 512 * 512, 512)
                tool(work.image, "write", at, length, 7)
                work.at = at + length
            tool(work.image, "resize", 6 * MIB)
            check(work.image)
            tool("-r", work.image, "read", 0, work.at, 7)
        finally:
            work.close()


def refused(rng):
    """What cannot be opened says why."""
    work = Work(rng, MIB)
    try:
        work.make({"compat": "1.1"}, None)
        good = work.image.read_bytes()
        for at, data, text in ((72, bytes(7) + b"\x02", "marked as corrupt"),
                               (72, b"\x80" + bytes(7), "feature 63"),
                               (72, bytes(7) + b"\x04", "external data file, and does not say"),
                               (32, b"\0\0\0\2", "encrypted"),
                               (4, b"\0\0\0\4", "version '4'"),
                               (20, b"\0\0\0\x40", "clusters of 2^64"),
                               (36, b"\xff\xff\xff\xff", "L1 table is too large"),
                               (40, b"\0\0\x40\0\0\0\0\0", "L1 table is past its end"),
                               (24, b"\0\0\0\x40\0\0\0\0", "L1 table is too small"),
                               (0, b"nope", "not a qcow2 image")):
            work.image.write_bytes(good[:at] + data + good[at + len(data):])
            output = tool(work.image, "info", ok=(2,)).stdout
            if text not in output:
                raise Failure(f"'{output}' lacks '{text}'")
        run("qemu-img", "create", "-q", "-f", "qcow2", "-u", "-F", "qcow2", "-b", "image.qcow2",
            work.image, "1M")
        output = tool(work.image, "info", ok=(2,)).stdout
        if "may loop" not in output:
            raise Failure(output)
    finally:
        work.close()


def shrinks(rng):
    """What is discarded is given back to the host."""
    work = Work(rng, 32 * MIB)
    try:
        work.make({"compat": "1.1"}, None)
        tool(work.image, "write", 0, 16 * MIB, 1)
        before = work.image.stat().st_blocks
        tool(work.image, "discard", 0, 16 * MIB)
        after = work.image.stat().st_blocks
        check(work.image)
        if before < 16 * MIB // 512 or after > MIB // 512:
            raise Failure(f"{before} blocks before, {after} after")
        tool(work.image, "write", 0, 16 * MIB, 2)
        if work.image.stat().st_size > 17 * MIB:
            raise Failure("free clusters are not used again")
        check(work.image)
    finally:
        work.close()


def snapshots(rng):
    """A snapshot is shown by its name."""
    work = Work(rng, 8 * MIB)
    try:
        work.make({"compat": "1.1"}, None)
        tool(work.image, "write", MIB, MIB, 1)
        run("qemu-img", "snapshot", "-c", "first", work.image)
        tool(work.image, "write", MIB, MIB // 2, 2, "resize", 9 * MIB)
        tool("-r", "-s", "first", work.image, "read", MIB, MIB, 1)
        tool("-r", "-s", "1", work.image, "read", MIB, MIB, 1)
        tool("-r", work.image, "read", MIB, MIB // 2, 2, "read", MIB + MIB // 2, MIB // 2, 1)
        tool("-r", "-s", "none", work.image, "info", ok=(2,))
        check(work.image)
    finally:
        work.close()


def rng_seed(number):
    return number * 7919 % 1000003


SECTOR = 512
READ, WRITE, FLUSH, DISCARD, ZEROES = range(5)


class Crash:
    """The log of `block-tool crash`: what the file, and the disk, may be after each of its lines."""

    def __init__(self, work, log):
        self.work = work
        self.events = [line.split() for line in log.read_text().splitlines()]
        self.data = pathlib.Path(f"{log}.data").read_bytes()
        self.base = (work.dir / "before.qcow2").read_bytes()
        at = 0
        self.places = {}
        for number, event in enumerate(self.events):
            if event[0] == "write":
                self.places[number] = at
                at += int(event[2])

    def image(self, end, rng):
        """The file when the first @end events had happened; with @rng, of what came after the last
        flush only some had reached the disk, as after a power cut."""
        flushed = max((i for i in range(end) if self.events[i][0] == "flush"), default=0)
        image = bytearray(self.base)
        for number in range(end):
            event = self.events[number]
            if event[0] not in ("write", "discard"):
                continue
            if rng is not None and number > flushed and rng.randrange(2):
                continue
            offset, length = int(event[1]), int(event[2])
            if len(image) < offset + length and event[0] == "write":
                image.extend(bytes(offset + length - len(image)))
            place = self.places.get(number)
            data = bytes(length) if place is None else self.data[place:place + length]
            if place is None:
                data = data[:max(0, len(image) - offset)]
            image[offset:offset + len(data)] = data
        return image

    def allowed(self, end):
        """By sector: the numbers that may stand there; None: anything."""
        kinds, acked, safe = {}, set(), {}
        before_flush = {}
        for event in self.events[:end]:
            if event[0] == "submit":
                number, kind, offset, length = map(int, event[1:])
                kinds[number] = (kind, offset, length)
                if kind == FLUSH:
                    before_flush[number] = set(acked)
            elif event[0] == "ack":
                number = int(event[1])
                acked.add(number)
                if kinds[number][0] == FLUSH:
                    safe.update(dict.fromkeys(before_flush[number]))
        sectors = {}
        for number, (kind, offset, length) in sorted(kinds.items()):
            if kind not in (WRITE, ZEROES, DISCARD):
                continue
            value = {WRITE: number, ZEROES: 0, DISCARD: None}[kind]
            for sector in range(offset // SECTOR, (offset + length) // SECTOR):
                values = [value] if number in safe else sectors.get(sector, [0]) + [value]
                sectors[sector] = values
        return sectors

    def try_one(self, end, rng):
        image = self.work.dir / "crashed.qcow2"
        image.write_bytes(self.image(end, rng))
        status = run("qemu-img", "check", "-q", "-f", "qcow2", image, ok=(0, 2, 3))
        if status.returncode == 2:
            raise Failure(f"after {end} events: corrupt\n{status.stdout}")
        if status.returncode == 3:
            run("qemu-img", "check", "-q", "-f", "qcow2", "-r", "leaks", image)
        raw = self.work.dir / "crashed.raw"
        run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, raw)
        content = raw.read_bytes()
        allowed = self.allowed(end)
        for sector in range(len(content) // SECTOR):
            values = allowed.get(sector, [0])
            is_ = int.from_bytes(content[sector * SECTOR:sector * SECTOR + 8], "little")
            if None not in values and is_ not in values:
                raise Failure(f"after {end} events: sector {sector} is of {is_}, not {values}")
        # And it goes on from there.  Clusters that leaked past the file's end are beyond what
        # `qemu-img check` looks at, until the file has grown.
        tool(image, "random", rng_seed(end), 30, 4, raw)
        run("qemu-img", "check", "-q", "-f", "qcow2", image, ok=(0, 3))
        compare(image, raw)


def crash(rng, options, points):
    """At any instant the image is clean or has leaks, and what was flushed is there."""
    work = Work(rng, 6 * MIB)
    try:
        work.make(options, None)
        shutil.copy(work.image, work.dir / "before.qcow2")
        log = work.dir / "log"
        seed = rng.randrange(1, 1 << 30)
        tool("-a", seed, "-c", "131072", work.image, "crash", seed, 80, log)
        check(work.image)
        tried = Crash(work, log)
        for _ in range(points):
            end = rng.randrange(len(tried.events) + 1)
            tried.try_one(end, rng if rng.randrange(2) else None)
    except Failure:
        kept = pathlib.Path(tempfile.gettempdir()) / "kiln-qcow2-failed"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(work.dir, kept)
        raise
    finally:
        work.close()


CRASHES = [
    {"compat": "1.1", "cluster_size": "4k"},
    {"compat": "0.10", "cluster_size": "64k"},
    {"compat": "1.1", "cluster_size": "512", "refcount_bits": "64"},
    {"compat": "1.1", "cluster_size": "16k", "extended_l2": "on"},
]


def tests(arguments):
    rng = random.Random(arguments.seed)
    for function in (dirty, refused, shrinks, snapshots, table_ends):
        yield function.__name__, lambda function=function: function(rng)
    chosen = [(row, True) for row in QUICK]
    if arguments.full:
        everything = list(combinations())
        random.Random(arguments.seed).shuffle(everything)
        chosen += [((*row, False, False), False) for row in DATA_FILES]
        chosen += [(row, False) for row in everything[:arguments.count]]
    for number, (row, quick) in enumerate(chosen):
        name = " ".join(f"{k}={v}" for k, v in row[0].items()) + \
            f" backing={row[1]} snapshot={row[2]} compressed={row[3]}"
        here = random.Random(arguments.seed * 10007 + number)
        yield name, lambda row=row, here=here, quick=quick: one(
            here, *row, 60 if quick else 250, True)
    for number, options in enumerate(CRASHES * (8 if arguments.full else 1)):
        here = random.Random(arguments.seed * 31 + number)
        name = "crash " + " ".join(f"{k}={v}" for k, v in options.items())
        yield name, lambda options=options, here=here: crash(
            here, options, 60 if arguments.full else 4)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    if shutil.which("qemu-img") is None or shutil.which("qemu-io") is None:
        print("1..0 # SKIP qemu-img and qemu-io are not installed (package qemu-utils)")
        return 0
    number = failed = 0
    for name, function in tests(arguments):
        if arguments.only not in name:
            continue
        number += 1
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Failure as failure:
            failed += 1
            print(f"not ok {number} - {name}")
            print("".join(f"# {line}\n" for line in str(failure).split("\n")), end="", flush=True)
    print(f"1..{number}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
