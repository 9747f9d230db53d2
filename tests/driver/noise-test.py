#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What no client of libvirt's sends: packets that end in their middle, noise, wrong programs, wrong
lengths, and very many connections that never finish their handshake.  After each of them others are
answered as promptly as before, and at the end the daemon has not grown.

KILN_CONNECTIONS is how many connections (else 300).
"""
import os
import random
import resource
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import wire  # noqa: E402

MIB = 1 << 20
MAX_PACKET = 32 * MIB + 4
GROWN = 48 * MIB  # one packet of the largest kind that the allocator has kept, and half of another
PROMPT = 20  # seconds; an idle machine takes 2 ms
ACCEPTED = 4000  # connections at once that still let others in: the daemon takes 5000
HEADER = 28


def send(client, data):
    """As much as it takes; it may hang up meanwhile."""
    try:
        client.socket.sendall(data)
        return True
    except OSError:
        return False


def hung_up(client):
    """Whether the daemon ends the connection, whatever it says before."""
    try:
        while client.socket.recv(65536):
            pass
    except ConnectionError:
        return True
    except TimeoutError:
        return False
    return True


def refused(client, data):
    """Whether @data is answered by an error or by the end of the connection."""
    try:
        client.socket.sendall(data)
        client.answer()
    except (wire.Refused, EOFError, ConnectionError):
        return True
    return False


# --- what is sent


def vanish_in_a_packet(path, chance):
    """In the length word, in the header, in the payload; opened or not."""
    whole = wire.packet(wire.DEFINE, wire.string("<domain/>" * 1000))
    for number in range(60):
        client = wire.Client(path, opened=number % 2 == 0)
        send(client, whole[:chance.choice([1, 3, 4, 5, 27, 28, 29, chance.randrange(len(whole))])])
        client.close()
    return None


def vanish_before_the_answer(path, chance):
    """Calls that are under way when who made them is no more."""
    for _ in range(20):
        client = wire.Client(path)
        for serial in range(chance.randrange(1, 200)):
            if not send(client, wire.packet(wire.LIST_ALL, struct.pack(">II", 1, 0), serial)):
                break
        client.close()
    return None


def wrong_lengths(path, _chance):
    for length in (0, 1, 4, HEADER - 1, MAX_PACKET + 1, 1 << 31, (1 << 32) - 1):
        client = wire.Client(path)
        send(client, wire.packet(wire.LIST_ALL, b"", length=length))
        ended = hung_up(client)
        client.close()
        if not ended:
            return f"length {length} was taken"
    return None


def wrong_programs(path, _chance):
    for program, version, procedure, kind in ((0x12345678, 1, 1, 0), (0, 0, 0, 0), (wire.PROGRAM, 2, 3, 0),
                                              (wire.PROGRAM, 1, 100000, 0), (wire.PROGRAM, 1, 0, 0),
                                              (wire.PROGRAM, 1, -1 & 0x7fffffff, 0), (0x20008087, 1, 9999, 0)):
        client = wire.Client(path)
        said_no = refused(client, wire.packet(procedure, b"", 7, program, version, kind))
        client.close()
        if not said_no:
            return f"program {program:#x} version {version} procedure {procedure} was answered"
    return None


def wrong_kinds(path, _chance):
    """Replies, events and pieces of streams that nobody asked for, and kinds that there are not."""
    for kind in (1, 2, 3, 4, 5, 6, 7, 1000):
        client = wire.Client(path)
        for status in (0, 1, 2, 99):
            send(client, wire.packet(wire.LIST_ALL, bytes(64), 9, kind=kind, status=status))
        client.close()
    return None


def wrong_arguments(path, chance):
    """Noise in the place of each call's arguments, and strings that are longer than the packet."""
    for procedure in range(3, 445):
        client = wire.Client(path) if procedure % 50 == 3 else client
        if procedure in (2, wire.AUTH_LIST) or not send(client, wire.packet(
                procedure, struct.pack(">I", 0x7fffffff) + chance.randbytes(chance.randrange(0, 64)), procedure)):
            client.close()
            client = wire.Client(path)
    client.close()
    return None


def megabytes_of_noise(path, chance):
    """Neither a packet nor anything else: no length begins like this."""
    noise = b"\xff" + chance.randbytes(MIB - 1)
    client = wire.Client(path, opened=False)
    for _ in range(32):
        if not send(client, noise):
            break
    ended = hung_up(client)
    client.close()
    return None if ended else "the noise was taken"


def a_packet_of_noise(path, chance):
    """As large as a packet can be: as a document, and as arguments that they are not."""
    noise = chance.randbytes(MIB) * 32
    client = wire.Client(path)
    for procedure in (wire.DEFINE, wire.LIST_ALL):
        if not refused(client, wire.packet(procedure, noise[:MAX_PACKET - HEADER - 4], 3)):
            return f"procedure {procedure} took it"
        client.close()
        client = wire.Client(path)
    text = "x" * (4 * MIB - 64)
    if not refused(client, wire.packet(wire.DEFINE, wire.string(text), 3)):
        return "4 MiB of x are a domain"
    client.close()
    return None


def large_packets_without_end(path, _chance):
    """Each of them says that it is as large as can be, and does not go on."""
    clients = [wire.Client(path, opened=number % 2 == 0) for number in range(30)]
    for client in clients:
        send(client, wire.packet(wire.DEFINE, bytes(1000), length=MAX_PACKET - 4))
    reason = answered(path)
    for client in clients:
        client.close()
    return reason


def many_connections(path, _chance):
    """Half of them say nothing, half of them begin their handshake."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 50
    wanted = min(int(os.environ.get("KILN_CONNECTIONS", "300")), most)
    clients = []
    turned_away = 0
    reason = None
    for number in range(wanted):
        one = socket.socket(socket.AF_UNIX)
        clients.append(one)
        one.setblocking(False)
        try:
            one.connect(path)
            if number % 2 == 0:
                one.send(wire.packet(wire.AUTH_LIST))
        except BlockingIOError:  # no more of them may wait
            turned_away += 1
            time.sleep(0.001)
        except OSError as error:
            reason = f"connection {number}: {error}"
            break
    print(f"# {len(clients) - turned_away} connections, {turned_away} turned away")
    if reason is None and wanted <= ACCEPTED:
        reason = answered(path)
    for one in clients:
        one.close()
    return reason


CASES = [vanish_in_a_packet, vanish_before_the_answer, wrong_lengths, wrong_programs, wrong_kinds, wrong_arguments,
         megabytes_of_noise, a_packet_of_noise, large_packets_without_end, many_connections]


# --- how the daemon bears it


def answered(path):
    """Returns what is wrong with an honest client's answer, or None."""
    begin = time.monotonic()
    try:
        client = wire.Client(path)
        names = client.names()
        client.close()
    except (OSError, EOFError, wire.Refused) as error:
        return f"an honest client: {error!r}"
    took = time.monotonic() - begin
    if names != ["web"]:
        return f"an honest client was told of {names}"
    return f"an honest client waited {took:.1f} s" if took > PROMPT else None


def virsh(daemon):
    if shutil.which("virsh") is None:
        return None
    try:
        done = subprocess.run(["virsh", "-q", "list", "--all", "--name"], env=daemon.environment, text=True,
                              timeout=PROMPT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except subprocess.TimeoutExpired:
        return f"virsh took over {PROMPT} s"
    return None if done.stdout.split() == ["web"] else f"virsh said: {done.stdout}"


def n_descriptors(daemon):
    return len(os.listdir(f"/proc/{daemon.process.pid}/fd"))


def run_cases(daemon, chance, report):
    client = daemon.start()
    client.define("<domain type='kvm'><name>web</name><memory unit='MiB'>64</memory>"
                  "<os><type>hvm</type><kernel>/boot/vmlinuz</kernel></os></domain>")
    client.close()
    before = daemon.resident(), n_descriptors(daemon)
    for case in CASES:
        try:
            reason = case(daemon.socket, chance) or answered(daemon.socket)
        except OSError as error:
            reason = repr(error)
        report(case.__name__.replace("_", " "), reason)
    report("virsh is answered", virsh(daemon))
    grown = daemon.resident() - before[0]
    print(f"# grown by {grown / MIB:.1f} MiB, from {before[0] / MIB:.1f}")
    sanitized = "libasan" in maps(daemon) or "libtsan" in maps(daemon)
    report("memory has not grown", None if sanitized or grown < GROWN else f"by {grown} bytes")
    end = time.monotonic() + PROMPT
    while n_descriptors(daemon) > before[1] + 2 and time.monotonic() < end:
        time.sleep(0.01)
    left = n_descriptors(daemon) - before[1]
    report("descriptors have not grown", None if left <= 2 else f"by {left}")
    status = daemon.end()
    report("it ends when it is asked to", None if status == 0 else f"status {status}")


def maps(daemon):
    with open(f"/proc/{daemon.process.pid}/maps", encoding="ascii", errors="replace") as file:
        return file.read()


def main():
    reason = wire.missing()
    if reason is not None:
        print("1..0 # SKIP " + reason)
        return 0
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    seed = int(os.environ.get("KILN_SEED", random.randrange(1 << 30)))
    print(f"1..{len(CASES) + 4}\n# seed {seed}")
    results = []

    def report(name, reason):
        results.append(reason)
        print(f"{'ok' if reason is None else 'not ok'} {len(results)} - {name}", flush=True)
        if reason is not None:
            print("# " + str(reason).replace("\n", "\n# "))

    with tempfile.TemporaryDirectory() as top:
        daemon = wire.Daemon(top)
        try:
            run_cases(daemon, random.Random(seed), report)
        finally:
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.kill()
        if any(results):
            print("# " + daemon.said().replace("\n", "\n# "))
    return 1 if any(results) else 0


sys.exit(main())
