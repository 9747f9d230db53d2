#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""virtkilnd is killed at random points while clients define, start, stop and undefine.  After each
restart every definition and every guest is exactly one of before and after the call under way, and
guests that ran are the same processes.

KILN_KILLS is how often (else 10), KILN_SEED what the chance begins with (else another each time).
"""
import fcntl
import os
import random
import re
import socket
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
import wire  # noqa: E402

CLIENTS = 3
GUESTS = 2  # of each client
LONGEST = 0.08  # seconds that a daemon lives on when it has work
SETTLED = 30  # seconds in which a guest that is on its way comes or goes
DOCUMENT = """<domain type='kvm'><name>%s</name><uuid>7c9e2f5e-5f0a-4b11-9c68-0b4f%08x</uuid>
<description>v%d</description><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type>hvm</type><kernel>/boot/vmlinuz</kernel></os></domain>"""


class Guest:
    """What is to be there: the definition's version or None, and whether it runs, as which process."""

    def __init__(self, name, number):
        self.name = name
        self.number = number
        self.version = 0
        self.state = (None, False)
        self.what = self.after = None  # of the call under way
        self.pid = None

    def document(self, version):
        return DOCUMENT % (self.name, self.number, version)

    def choices(self):
        """Each call that can be made now, and what is after it."""
        defined, runs = self.state
        found = [("define", (self.version + 1, runs))]
        if defined is not None:
            found.append(("undefine", (None, runs)))
            if not runs:
                found += [("start", (defined, True))] * 2
        elif not runs:
            found.append(("create", (None, True)))
        if runs:
            found.append(("destroy", (defined, False)))
        return found

    def act(self, client, what):
        if what == "define":
            client.define(self.document(self.version))
        elif what == "create":
            client.create_xml(self.document(self.version))
        else:
            getattr(client, what)(self.name)


class Worker(threading.Thread):
    """A client, until the daemon is no more."""

    def __init__(self, daemon, guests, chance):
        super().__init__()
        self.daemon = daemon
        self.guests = guests
        self.chance = chance
        self.wrong = None
        self.done = 0

    def run(self):
        try:
            client = wire.Client(self.daemon.socket)
            while True:
                self.step(client)
        except TimeoutError:
            self.wrong = RuntimeError("a call was not answered")
        except (OSError, EOFError):
            pass
        except Exception as error:  # pylint: disable=broad-except
            self.wrong = error

    def step(self, client):
        guest = self.chance.choice(self.guests)
        what, after = self.chance.choice(guest.choices())
        if what in ("define", "create"):
            guest.version += 1
        guest.what, guest.after = what, after
        try:
            guest.act(client, what)
        except wire.Refused as refused:
            raise RuntimeError(f"{what} {guest.name} in {guest.state}: {refused}") from None
        guest.state, guest.after = after, None
        if what in ("start", "create", "destroy"):
            guest.pid = self.daemon.pid_of(guest.name)
        self.done += 1


def found(client, guest):
    """The state of @guest as the daemon tells it."""
    domain = client.look_up(guest.name)
    if domain is None:
        return (None, False)
    version = None
    if client.is_persistent(domain):
        text = client.xml(domain, wire.XML_INACTIVE)
        version = int(re.search(r"<description>v(\d+)<", text)[1])
    return (version, client.is_active(domain))


def fault(client, daemon, guest):
    """What is not as it should be with @guest, or None."""
    try:
        state = found(client, guest)
    except wire.Refused as refused:
        return f"{guest.name}: {refused}"
    allowed = [guest.state] + ([guest.after] if guest.after is not None else [])
    if daemon.forked():
        return "a process of the daemon that was killed has not become a guest"
    pids = [pid for name, pid in daemon.guests() if name == guest.name]
    story = f"{guest.name}: {state}, was {guest.state}"
    if guest.after is not None:
        story += f", and {guest.what} was under way"
    if state not in allowed:
        return story
    if len(pids) != (1 if state[1] else 0):
        return f"{story}; its processes are {pids}"
    if state[1] and guest.state[1] and pids[0] != guest.pid:
        return f"{story}; the process was {guest.pid} and is {pids[0]}"
    stored = os.path.exists(os.path.join(daemon.definitions, guest.name + ".xml"))
    if stored != (state[0] is not None):
        return f"{story}; its file is {'' if stored else 'not '}there"
    return None


def settle(client, daemon, guest):
    """Returns what is wrong with @guest and stays so."""
    end = time.monotonic() + SETTLED
    while (wrong := fault(client, daemon, guest)) is not None and time.monotonic() < end:
        time.sleep(0.02)
    if wrong is None and guest.after is not None and guest.what == "destroy" and found(client, guest)[1]:
        # Before, or told to end and about to: so that what follows is sure.
        try:
            client.destroy(guest.name)
        except wire.Refused:  # it was about to
            pass
        guest.state, guest.after = guest.after, None
        return settle(client, daemon, guest)
    if wrong is None:
        guest.state, guest.after = found(client, guest), None
        guest.pid = daemon.pid_of(guest.name)
    return wrong


def one_point(daemon, client, guests, chance):
    """Returns how many calls there were and what was wrong after the kill."""
    client.close()
    share = len(guests) // CLIENTS
    workers = [Worker(daemon, guests[i * share:(i + 1) * share], chance) for i in range(CLIENTS)]
    for worker in workers:
        worker.start()
    time.sleep(chance.random() * LONGEST)
    daemon.kill()
    for worker in workers:
        worker.join(wire.PATIENCE)
    wrong = [str(worker.wrong) for worker in workers if worker.wrong is not None]
    client = daemon.start()
    wrong += filter(None, [settle(client, daemon, guest) for guest in guests])
    names = sorted(guest.name for guest in guests if guest.state != (None, False))
    if not wrong and client.names() != names:
        wrong.append(f"there are {client.names()}, and should be {names}")
    left = [name for name in os.listdir(daemon.definitions) if name.startswith(".")]
    if left:
        wrong.append(f"left behind: {left}")
    return client, sum(worker.done for worker in workers), wrong


def start_among_remains(daemon):
    """As if a child of the daemon that was killed had not come to its exec: lock and socket are in use."""
    daemon.kill()
    os.unlink(daemon.socket)
    with open(os.path.join(os.path.dirname(daemon.socket), "virtkilnd.pid"), "r+", encoding="ascii") as lock, \
            socket.socket(socket.AF_UNIX) as listener:
        fcntl.flock(lock, fcntl.LOCK_EX)
        listener.bind(daemon.socket)
        listener.listen()
        timers = [threading.Timer(0.2, lock.close), threading.Timer(0.4, listener.close)]
        for timer in timers:
            timer.start()
        try:
            daemon.start().close()
        except RuntimeError as error:
            return str(error)
        finally:
            for timer in timers:
                timer.join()
    return None


def main():
    reason = wire.missing()
    kills = int(os.environ.get("KILN_KILLS", "10"))
    seed = int(os.environ.get("KILN_SEED", random.randrange(1 << 30)))
    if reason is not None:
        print("1..0 # SKIP " + reason)
        return 0
    print(f"1..{kills + 2}\n# seed {seed}")
    chance = random.Random(seed)
    guests = [Guest(f"guest-{number}", number) for number in range(CLIENTS * GUESTS)]
    failed = False
    with tempfile.TemporaryDirectory() as top:
        daemon = wire.Daemon(top)
        try:
            client = daemon.start()
            for number in range(1, kills + 1):
                client, calls, wrong = one_point(daemon, client, guests, chance)
                print(f"{'not ' if wrong else ''}ok {number} - killed after {calls} calls", flush=True)
                if wrong:
                    failed = True
                    print("\n".join("# " + line for text in wrong for line in text.split("\n")))
                    print("# " + daemon.said().replace("\n", "\n# "))
                    break
            wrong = start_among_remains(daemon)
            failed = failed or wrong is not None
            print(f"{'ok' if wrong is None else 'not ok'} {kills + 1} - it waits for a lock and a socket")
            status = daemon.end()
            print(f"{'ok' if status == 0 else 'not ok'} {kills + 2} - it ends when it is asked to")
        finally:
            if daemon.process is not None and daemon.process.poll() is None:
                daemon.kill()
            daemon.end_guests()
    return 1 if failed or status != 0 else 0


sys.exit(main())
