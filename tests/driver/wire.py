# SPDX-License-Identifier: LGPL-2.1-or-later
"""virtkilnd of a session of its own, and a client that speaks its RPC without libvirt's library: so a
call costs no start of virsh, and what no library would send can be sent."""
import os
import shutil
import signal
import socket
import struct
import subprocess
import time

BUILD = os.environ.get("KILN_BUILDDIR", "b")
PROGRAM = 0x20008086
CALL, REPLY = 0, 1
OPEN, CREATE, CREATE_XML, DEFINE, DESTROY, GET_XML, LOOKUP, AUTH_LIST = 1, 9, 10, 11, 12, 14, 23, 66
IS_ACTIVE, IS_PERSISTENT, GET_STATE, UNDEFINE, LIST_ALL = 150, 151, 212, 231, 273
XML_INACTIVE = 2
NO_DOMAIN = 42
PATIENCE = 30


class Refused(Exception):
    """An error of libvirt's."""

    def __init__(self, code, text):
        super().__init__(f"error {code}: {text}")
        self.code = code


def string(text):
    data = text.encode()
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


def packet(procedure, payload=b"", serial=0, program=PROGRAM, version=1, kind=CALL, status=0, length=None):
    body = struct.pack(">IIiiII", program, version, procedure, kind, serial, status) + payload
    return struct.pack(">I", len(body) + 4 if length is None else length) + body


class Reader:
    """What is in a reply, in order."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def word(self):
        self.at += 4
        return struct.unpack_from(">i", self.data, self.at - 4)[0]

    def string(self):
        length = self.word()
        text = self.data[self.at:self.at + length].decode()
        self.at += length + -length % 4
        return text

    def domain(self):
        """As it is sent again: encoded."""
        begin = self.at
        self.string()
        self.at += 16 + 4
        return self.data[begin:self.at]


class Client:
    """One connection.  An OSError or EOFError is its end."""

    def __init__(self, path, opened=True):
        self.serial = 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect(path)
            if opened:
                self.call(AUTH_LIST)
                self.call(OPEN, struct.pack(">I", 1) + string("kiln:///session") + struct.pack(">I", 0))
        except BaseException:
            self.socket.close()
            raise

    def close(self):
        self.socket.close()

    def receive(self, length):
        data = b""
        while len(data) < length:
            more = self.socket.recv(length - len(data))
            if not more:
                raise EOFError("the daemon has hung up")
            data += more
        return data

    def answer(self):
        """The next reply; events and questions whether we live are passed over."""
        while True:
            length = struct.unpack(">I", self.receive(4))[0]
            data = self.receive(length - 4)
            _, _, _, kind, _, status = struct.unpack_from(">IIiiII", data)
            if kind != REPLY:
                continue
            reader = Reader(data[24:])
            if status == 0:
                return reader
            code, _ = reader.word(), reader.word()
            raise Refused(code, reader.string() if reader.word() else "")

    def call(self, procedure, payload=b""):
        self.serial += 1
        self.socket.sendall(packet(procedure, payload, self.serial))
        return self.answer()

    # --- of domains

    def define(self, text):
        return self.call(DEFINE, string(text)).domain()

    def create_xml(self, text):
        return self.call(CREATE_XML, string(text) + struct.pack(">I", 0)).domain()

    def look_up(self, name):
        """Returns the domain, or None."""
        try:
            return self.must_look_up(name)
        except Refused as refused:
            if refused.code == NO_DOMAIN:
                return None
            raise

    def must_look_up(self, name):
        return self.call(LOOKUP, string(name)).domain()

    def start(self, name):
        self.call(CREATE, self.must_look_up(name))

    def destroy(self, name):
        self.call(DESTROY, self.must_look_up(name))

    def undefine(self, name):
        self.call(UNDEFINE, self.must_look_up(name) + struct.pack(">I", 0))

    def is_active(self, domain):
        return self.call(IS_ACTIVE, domain).word() == 1

    def is_persistent(self, domain):
        return self.call(IS_PERSISTENT, domain).word() == 1

    def xml(self, domain, flags=0):
        return self.call(GET_XML, domain + struct.pack(">I", flags)).string()

    def names(self):
        reader = self.call(LIST_ALL, struct.pack(">II", 1, 0))
        found = []
        for _ in range(reader.word()):
            found.append(Reader(reader.domain()).string())
        return sorted(found)


class Daemon:
    """virtkilnd with directories of its own, below @top; fake-kiln stands in the place of kiln."""

    def __init__(self, top):
        self.top = top
        self.process = None
        self.environment = dict(os.environ, HOME=top, LC_ALL="C", LIBVIRT_AUTOSTART="0", KILN_FAKE_SECONDS="1200")
        for name in ("RUNTIME_DIR", "CONFIG_HOME", "CACHE_HOME", "DATA_HOME"):
            self.environment["XDG_" + name] = os.path.join(top, name.lower())
            os.mkdir(self.environment["XDG_" + name], 0o700)
        self.socket = os.path.join(self.environment["XDG_RUNTIME_DIR"], "libvirt/virtkilnd-sock")
        self.definitions = os.path.join(self.environment["XDG_CONFIG_HOME"], "libvirt/kiln")
        self.environment["LIBVIRT_DEFAULT_URI"] = "kiln:///session?socket=" + self.socket
        self.log = os.path.join(top, "log")
        # The daemon takes the kiln that is beside it.
        self.program = os.path.join(top, "virtkilnd")
        shutil.copy(os.path.join(BUILD, "virtkilnd"), self.program)
        kiln = os.path.join(top, "kiln")
        with open(kiln, "w", encoding="utf-8") as out:
            out.write("#!/bin/sh\n[ \"$1\" != validate ] || exec '%s' \"$@\"\nexec '%s' \"$@\"\n"
                      % (os.path.abspath(os.path.join(BUILD, "kiln")),
                         os.path.abspath(os.path.join(BUILD, "tests/driver/fake-kiln"))))
        os.chmod(kiln, 0o755)

    def start(self):
        """Returns a client, when there is an answer."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.program, "--session"], env=self.environment,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return Client(self.socket)
            except (OSError, EOFError):
                if self.process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError("virtkilnd does not answer: " + self.said()) from None
                time.sleep(0.002)

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-4000:]

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)

    def end(self):
        """Returns the exit status."""
        self.process.terminate()
        return self.process.wait(PATIENCE)

    def resident(self):
        """Bytes."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def processes(self):
        """Process id and arguments of all that are about our directory."""
        found = []
        for entry in os.listdir("/proc"):
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    words = file.read().decode(errors="replace").split("\0")
            except OSError:
                continue
            if entry.isdigit() and any(self.top in word for word in words):
                found.append((int(entry), words))
        return found

    def guests(self):
        """Name and process id of each of the fake guests that live."""
        found = []
        for pid, words in self.processes():
            document = [word for word in words if word.endswith(".xml")]
            if "--ready-fd" in words and document:
                found.append((os.path.basename(document[-1])[:-4], pid))
        return sorted(found)

    def forked(self):
        """Whether there is a process between its fork and its exec."""
        return any(words[0] == self.program and pid != self.process.pid for pid, words in self.processes())

    def pid_of(self, name):
        """The process of the guest @name by its own file, or None."""
        path = os.path.join(self.environment["XDG_RUNTIME_DIR"], "libvirt/kiln", name + ".pid")
        try:
            with open(path, encoding="ascii") as file:
                return int(file.read())
        except FileNotFoundError:
            return None

    def end_guests(self):
        for _, pid in self.guests():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def missing():
    """Why this cannot run here."""
    for name in ("virtkilnd", "kiln", "tests/driver/fake-kiln"):
        if not os.path.exists(os.path.join(BUILD, name)):
            return name + " is not built"
    return None
