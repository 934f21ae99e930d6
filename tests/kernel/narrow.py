"""System calls as 32-bit programs make them, from a process of 64 bits: the instruction `int 0x80` of x86."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct

_INT_80 = bytes.fromhex("53 89f8 89f3 87d1 cd80 5b 4898 c3")
"""push rbx; mov eax, edi; mov ebx, esi; xchg edx, ecx; int 0x80; pop rbx; cdqe; ret"""


def memory(size: int = 4096) -> mmap.mmap:
    """Memory below 4 GiB, where 32-bit system calls can read."""
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40, prot=7)  # MAP_32BIT


def address_of(mapped: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(mapped))


def narrow_call(number: int, *arguments: int) -> int:
    """A system call as a 32-bit program makes it. Raises OSError."""
    if os.uname().machine != "x86_64":
        raise OSError(errno.ENOSYS, "only tried on x86-64")
    code = memory()
    code[: len(_INT_80)] = _INT_80
    call = ctypes.CFUNCTYPE(ctypes.c_long, *[ctypes.c_long] * 4)(address_of(code))
    result = int(call(number, *(*arguments, 0, 0, 0)[:3]))
    if result < 0:
        raise OSError(-result, os.strerror(-result), f"32-bit system call {number}")
    return result


SOCKETCALL, PRLIMIT, SOCKET, CONNECT = 102, 340, 359, 362


def socketcall(which: int, *words: int) -> int:
    """socketcall(2): its arguments are in memory."""
    words_at = memory()
    words_at[: 4 * len(words)] = struct.pack(f"={len(words)}I", *words)
    return narrow_call(SOCKETCALL, which, address_of(words_at))
