"""The agent's process: PID 1 of the jar. Messages come in on stdin, events go out on stdout, one JSON object a line.

However it ends, the kernel ends the service with it, or, attached, lets it go as it was.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from belljar_tui.agent import contained, mounts
from belljar_tui.agent.agent import Agent
from belljar_tui.agent.closed import ClosedJar
from belljar_tui.agent.network import raise_loopback
from belljar_tui.agent.output import EventWriter
from belljar_tui.wire import messages as msg
from belljar_tui.wire.silence import BEAT, LOOK_S, UNHEARD, Silence

_OUT_OF_MEMORY = 70
_NO_MEMORY = b"belljar agent: out of memory\n"


async def _lines(silence: Silence) -> AsyncIterator[bytes]:
    """Lines of stdin. The end of it is the end of whoever told us what to do, and so is `silence` that is too long."""
    reader = asyncio.StreamReader(limit=16 << 20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await _line(reader, silence):
        yield line


async def _line(reader: asyncio.StreamReader, silence: Silence) -> bytes:
    """The next one; none when there is none to come."""
    while silence.limit_s and not silence.is_too_long:
        before = time.monotonic()
        try:
            async with asyncio.timeout(LOOK_S):
                line = await reader.readline()
        except TimeoutError:
            silence.passed(time.monotonic() - before)
            continue
        silence.heard()
        return line
    return b"" if silence.is_too_long else await reader.readline()


def _give_up(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Without memory we neither hear nor see, and what calls is held for nothing: end, and the jar with us."""
    if isinstance(context.get("exception"), MemoryError):
        os.write(2, _NO_MEMORY)
        os._exit(_OUT_OF_MEMORY)
    loop.default_exception_handler(context)


async def _serve(closed: ClosedJar | None) -> int:
    asyncio.get_running_loop().set_exception_handler(_give_up)
    silence = Silence()
    lines = _lines(silence)
    first = await anext(lines, b"")
    if not first:
        return 0
    prepare = msg.decode(first)
    if not isinstance(prepare, msg.Prepare):
        raise SystemExit("the first message must be prepare")
    prepare = msgspec.structs.replace(prepare, clock_zero=contained.clock_zero(prepare, time.monotonic()))
    writer = EventWriter(sys.stdout.fileno(), lambda: time.monotonic() - prepare.clock_zero)
    folder = None
    if prepare.place is msg.Place.NATIVE:
        folder = mounts.mask_file_system(prepare.search)
        raise_loopback()
        mounts.open_low_ports()
        mounts.freeze_settings()
    agent = Agent(prepare, writer, folder, closed)
    await agent.start()
    silence.limit_s = contained.silence_limit_s(prepare)
    async for line in lines:
        if line == BEAT:
            writer.beat()
            continue
        message = msg.decode(line)
        if isinstance(message, msg.Finish):
            await agent.finish(message.grace_s)
            break
        agent.take(message)
    if silence.is_too_long:
        sys.stderr.write(f"belljar agent: heard nothing for {silence.limit_s:g} s\n")
        await agent.finish(0)
    writer.drain()
    return UNHEARD if silence.is_too_long else 0


def main(closed: ClosedJar | None = None) -> None:
    """Run until stdin ends. Exit code 4 and one line on stderr when the jar could not be sealed.

    Args:
        closed: the jar, where it was closed before we were loaded.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE: nobody of our uid may look into us
    try:
        code = asyncio.run(_serve(closed))
    except (OSError, msgspec.MsgspecError) as error:
        sys.stderr.write(f"belljar agent: {error}\n")
        code = 4
    except MemoryError:
        os.write(2, _NO_MEMORY)
        code = _OUT_OF_MEMORY
    sys.stderr.flush()
    os._exit(code)  # as PID 1: whatever is left of the service goes with us


if __name__ == "__main__":
    main()
