"""A service that calls unix sockets as it is told, line by line through a pipe with a name, and answers how it went."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
import sys
import threading
from collections.abc import Callable

import narrow as narrow_calls

_NEW_USER, _NEW_MOUNTS = 0x10000000, 0x20000
_KINDS = {"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM}
_libc = ctypes.CDLL(None, use_errno=True)
_kept: dict[str, socket.socket] = {}


def call(kind: str, path: str) -> str:
    """Connect, without waiting."""
    with socket.socket(socket.AF_UNIX, _KINDS[kind] | socket.SOCK_NONBLOCK) as made:
        made.connect(path)
        if kind == "dgram":
            made.send(b"x")
    return "ok"


def wait(seconds: str, path: str) -> str:
    """Connect, and wait for so long."""
    whole, rest = divmod(float(seconds), 1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", int(whole), int(rest * 1e6)))
        made.connect(path)
    return "ok"


def measured(count: str, path: str) -> str:
    """So many connections, one after the other."""
    for _ in range(int(count)):
        call("stream", path)
    return "ok"


def in_a_thread(path: str) -> str:
    """A connection made by a thread."""
    said: list[str] = []
    thread = threading.Thread(target=lambda: said.append(outcome(call, "stream", path)))
    thread.start()
    thread.join()
    return said[0]


def in_a_child(path: str) -> str:
    """A connection made by a child, which ends at once."""
    pid = os.fork()
    if pid == 0:
        os._exit(0 if outcome(call, "stream", path) == "ok" else 1)
    return "ok" if os.waitpid(pid, 0)[1] == 0 else "failed"


def keep(name: str, kind: str, path: str) -> str:
    """A connection that stays; of a stream, until the server has taken it."""
    made = _kept[name] = socket.socket(socket.AF_UNIX, _KINDS[kind])
    made.connect(path)
    if kind == "stream":
        made.send(b"?")
        made.recv(1)
    return "ok"


def send(name: str) -> str:
    _kept[name].send(b"y")
    return "ok"


def read(name: str) -> str:
    """Wait for what comes on a connection that stays."""
    _kept[name].settimeout(10)
    return _kept[name].recv(1).decode() or "end"


def sendto(path: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.sendto(b"z", path)
    return "ok"


def sendmsg(path: str) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.sendmsg([b"z"], (), 0, path)
    return "ok"


def narrow(how: str, path: str) -> str:
    """A call as 32-bit programs make it: `call` by system calls of its own number, others through socketcall."""
    address = struct.pack("=H", socket.AF_UNIX) + path.encode() + b"\0"
    memory = narrow_calls.memory()
    memory[: len(address)] = address
    at, flags = narrow_calls.address_of(memory), os.O_NONBLOCK | os.O_CLOEXEC
    if how == "call":
        made = narrow_calls.narrow_call(narrow_calls.SOCKET, socket.AF_UNIX, socket.SOCK_STREAM | flags, 0)
    else:
        kind = socket.SOCK_DGRAM if how == "sendto" else socket.SOCK_STREAM
        made = narrow_calls.socketcall(1, socket.AF_UNIX, kind | flags, 0)
    assert not os.get_inheritable(made)
    assert not os.get_blocking(made)
    try:
        if how == "call":
            narrow_calls.narrow_call(narrow_calls.CONNECT, made, at, len(address))
        elif how == "sendto":
            narrow_calls.socketcall(11, made, at, 1, 0, at, len(address))
        else:
            narrow_calls.socketcall(3, made, at, len(address))
    finally:
        os.close(made)
    return "ok"


def narrow_socket(family: str, kind: str, protocol: str) -> str:
    """A socket through socketcall, and what it is."""
    with socket.socket(fileno=narrow_calls.socketcall(1, int(family), int(kind), int(protocol))) as made:
        return f"{made.family:d} {made.type:d} {os.get_inheritable(made.fileno())}"


def listen(path: str) -> str:
    """Listen ourselves, and call that."""
    made = _kept[path] = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(path)
    made.listen(5)
    return call("stream", path)


def abstract(name: str) -> str:
    return call("stream", f"\0{name}")


def new_privileges() -> str:
    """Whether a set-user-id program would still work: 0, if so."""
    with open("/proc/self/status") as status:  # noqa: PTH123
        return next(line.split()[1] for line in status if line.startswith("NoNewPrivs"))


def unmount(path: str) -> str:
    """Try to take away what lies over a path."""
    if _libc.umount2(path.encode(), 2) != 0:
        raise OSError(ctypes.get_errno(), "umount")
    return "ok"


def own_mounts() -> str:
    """From here on in mounts of our own, which nothing from outside reaches."""
    if _libc.unshare(_NEW_USER | _NEW_MOUNTS) != 0 or _libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    return "ok"


def inside(word: str, *arguments: str) -> str:
    """Do something in a child with mounts of its own."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        said = outcome(own_mounts)
        os.write(write_end, (outcome(globals()[word], *arguments) if said == "ok" else said).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    return os.read(read_end, 100).decode()


def outcome(do: Callable[..., str], *arguments: str) -> str:
    try:
        return do(*arguments)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))


def main(folder: str) -> None:
    with open(f"{folder}/ask") as ask, open(f"{folder}/answer", "w") as answer:  # noqa: PTH123
        for line in ask:
            word, *arguments = line.split()
            answer.write(outcome(globals()[word], *arguments) + "\n")
            answer.flush()


if __name__ == "__main__":
    main(sys.argv[1])
