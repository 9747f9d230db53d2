#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A disk is killed with SIGKILL at random moments of a write load (kill-load), again and again on the same image.
After each: QEMU finds the image clean or with leaks at most, kiln opens it, both read the same, and all that
was flushed is there.  Prints TAP.

Usage: kill-test.py [--kills N] [--seed N] [--cache MODE]
"""
import argparse
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ.get("KILN_BUILDDIR", "."))
SECTOR = 512
SIZE = 8 << 20
N_SECTORS = SIZE // SECTOR
EVENT = struct.Struct("<IIQQ")
OUT, FLUSH, DISCARD, ZEROES, DONE = 1, 4, 11, 13, 0x100

# What of them, and the share of all kills.
IMAGES = [
    ("small clusters", "cluster_size=4k", 2),
    ("usual clusters", "cluster_size=64k", 1),
    ("subclusters", "cluster_size=64k,extended_l2=on", 1),
    ("lazy refcounts", "cluster_size=4k,lazy_refcounts=on", 1),
]


class Failure(Exception):
    pass


def run(*words, good=(0,)):
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=120, check=False)
    if done.returncode not in good:
        raise Failure(f"{' '.join(map(str, words))}: status {done.returncode}\n{done.stdout}")
    return done


class Request:
    """A write, zeroes or a discard."""

    def __init__(self, kind, number, sector, n_sectors):
        self.kind, self.number, self.sector, self.n_sectors = kind, number, sector, n_sectors
        self.stable = False


def read_log(path):
    """All requests in their order; those that are stable were done before a flush that was done was asked for."""
    requests, by_number, done, flushes = [], {}, [], {}
    n_stable = n_flushes = 0
    data = path.read_bytes() if path.exists() else b""
    for at in range(0, len(data) - EVENT.size + 1, EVENT.size):
        kind, n_sectors, number, sector = EVENT.unpack_from(data, at)
        if kind == FLUSH:
            flushes[number] = len(done)
        elif kind == FLUSH | DONE:
            n_stable = max(n_stable, flushes[number])
            n_flushes += 1
        elif kind & DONE:
            done.append(by_number[number])
        else:
            by_number[number] = Request(kind, number, sector, n_sectors)
            requests.append(by_number[number])
    for request in done[:n_stable]:
        request.stable = True
    return requests, len(done), n_flushes


def possible(before, requests):
    """For each sector the numbers that it may hold."""
    sets = [{number} for number in before]
    for request in requests:
        for sector in range(request.sector, request.sector + request.n_sectors):
            number = request.number << 16 | sector if request.kind == OUT else 0
            if request.stable and request.kind != DISCARD:
                sets[sector] = {number}
            else:  # what is discarded may stay
                sets[sector].add(number)
    return sets


def numbers_of(path):
    """What each sector holds; it is the same 64 times."""
    data = path.read_bytes()
    numbers = [number for (number,) in struct.iter_unpack("<Q504x", data)]
    for sector, number in enumerate(numbers):
        if data[sector * SECTOR:(sector + 1) * SECTOR] != number.to_bytes(8, "little") * 64:
            raise Failure(f"sector {sector} is of several requests")
    return numbers


class Image:
    """One image, the victim of many kills."""

    def __init__(self, directory, options, cache, rand):
        self.path = directory / "disk.qcow2"
        self.dump = directory / "dump"
        self.log = directory / "log"
        self.cache = cache
        self.rand = rand
        self.lazy = "lazy" in options
        self.path.unlink(missing_ok=True)
        run("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, self.path, SIZE)
        self.numbers = [0] * N_SECTORS
        self.n_done = self.n_flushes = self.n_lost = self.n_leaky = 0

    def kill(self, turn):
        self.log.unlink(missing_ok=True)
        with subprocess.Popen([BUILD / "tests/block/kill-load", self.path, self.cache, str(turn), self.log],
                              stderr=subprocess.PIPE) as load:
            time.sleep(self.rand.uniform(0.005, 0.1))
            load.kill()
            said = load.communicate()[1].decode()
        if load.returncode != -9:
            raise Failure(f"the load ended by itself: {load.returncode}: {said}")

    def check(self):
        """Leaks are no harm; what lazy refcounts leave behind, kiln mends when it opens the image."""
        for _ in range(100):  # its last file goes a moment after the process
            done = run("qemu-img", "check", self.path, good=range(256))
            if "lock" not in done.stdout:
                break
            time.sleep(0.02)
        if done.returncode not in ((0, 2, 3) if self.lazy else (0, 3)):
            raise Failure(f"qemu-img check: status {done.returncode}\n{done.stdout}")
        self.n_leaky += done.returncode == 3
        if done.returncode == 3 and self.rand.random() < 0.2:
            run("qemu-img", "check", "-q", "-r", "leaks", self.path)
            run("qemu-img", "check", "-q", self.path)

    def verify(self):
        run(BUILD / "tests/block/block-tool", self.path, "dump", self.dump)
        if self.lazy:
            run("qemu-img", "check", "-q", self.path, good=(0, 3))
        run("qemu-img", "compare", "-q", "-f", "qcow2", "-F", "raw", self.path, self.dump)
        requests, n_done, n_flushes = read_log(self.log)
        sets = possible(self.numbers, requests)
        self.numbers = numbers_of(self.dump)
        for sector, number in enumerate(self.numbers):
            if number not in sets[sector]:
                raise Failure(f"sector {sector} holds {number >> 16:#x}, not one of {[hex(n >> 16) for n in sets[sector]]}")
        self.n_done += n_done
        self.n_flushes += n_flushes
        latest = {}
        for request in requests:
            for sector in range(request.sector, request.sector + request.n_sectors):
                latest[sector] = request.number << 16 | sector if request.kind == OUT else 0
        self.n_lost += sum(self.numbers[sector] != number for sector, number in latest.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--cache", default="writeback")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(1 << 30)
    rand = random.Random(seed)
    failed = count = turn = 0
    print(f"# seed {seed}")
    with tempfile.TemporaryDirectory(prefix="kiln-kill-") as directory:
        for name, create, share in IMAGES:
            image = Image(pathlib.Path(directory), create, options.cache, rand)
            kills = max(1, options.kills * share // sum(share for _, _, share in IMAGES))
            complaint = None
            for _ in range(kills):
                turn += 1
                try:
                    image.kill(turn)
                    image.check()
                    image.verify()
                except (Failure, subprocess.TimeoutExpired) as error:
                    complaint = f"turn {turn}: {error}"
                    break
            if complaint is None and image.n_flushes == 0:
                complaint = "no flush was ever done: nothing was tried"
            count += 1
            failed += complaint is not None
            print(f"{'not ok' if complaint else 'ok'} {count} - {name}: {kills} kills, what was flushed is there", flush=True)
            for line in (complaint or "").splitlines():
                print(f"# {line}")
            print(f"# {image.n_done} requests and {image.n_flushes} flushes done, {image.n_leaky} times leaks, "
                  f"{image.n_lost} sectors not flushed were lost", flush=True)
    print(f"1..{count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
