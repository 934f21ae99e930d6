"""`--headless`: events as JSON Lines on stdout, commands as JSON Lines on stdin."""

from __future__ import annotations

import asyncio
import signal
import sys

import msgspec

from belljar_tui.core import commands, events
from belljar_tui.errors import BellJarError
from belljar_tui.headless import printer
from belljar_tui.headless.diagnostics import Exit
from belljar_tui.session import Session

_LINE_BYTES = 1 << 20


async def stream(session: Session) -> Exit:
    """Run a session to its end: `quit`, a signal, or the agent's end. Raises BellJarError."""
    session.on_event = lambda event: printer.line(events.encode(event))
    ending = asyncio.Event()
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        ending.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupt)
    reason = "quit"
    try:
        await session.start()
        listening = asyncio.create_task(_listen(session))
        reading = asyncio.create_task(_obey(session, ending))
        waiting = asyncio.create_task(ending.wait())
        await asyncio.wait([listening, waiting], return_when=asyncio.FIRST_COMPLETED)
        reason = "interrupted" if interrupted else "quit"
        if not listening.done():
            await session.finish(reason)
        for task in (reading, waiting):
            task.cancel()
        await listening
    except BrokenPipeError:
        reason = "nobody is reading"
        session.on_event = None
    except BellJarError as error:
        reason = str(error)
        raise
    finally:
        await session.finish(reason)
    return Exit.INTERRUPTED if interrupted else Exit.HOLDS


async def _listen(session: Session) -> None:
    async for _ in session.listen():
        pass  # the fold and the printing happen on the way


async def _obey(session: Session, ending: asyncio.Event) -> None:
    """Carry out commands until stdin ends; its end alone ends nothing."""
    reader = asyncio.StreamReader(limit=_LINE_BYTES)
    try:
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    except (ValueError, OSError):
        return  # stdin is a plain file or closed: no commands, then
    while True:
        try:
            line = await reader.readline()
        except ValueError:
            session.reject("", "the line is longer than 1 MiB")
            continue
        if not line:
            return
        if not line.strip():
            continue
        try:
            command = commands.decode(line)
        except msgspec.MsgspecError as error:
            session.reject(line.decode(errors="replace").strip(), str(error))
            continue
        if isinstance(command, commands.Quit):
            ending.set()
            return
        await session.do(command)
