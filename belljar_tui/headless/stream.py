"""`--headless`: events as JSON Lines on stdout, commands as JSON Lines on stdin."""

from __future__ import annotations

import asyncio
import selectors
import signal
import sys
from collections.abc import Callable

import msgspec

from belljar_tui.core import commands, events
from belljar_tui.errors import BellJarError
from belljar_tui.headless import printer
from belljar_tui.headless.diagnostics import Exit, end_without_memory
from belljar_tui.session import Beside, Session

_LINE_BYTES = 1 << 20
_FILE_BYTES = 16 << 20
_SETTLED_S = 1.2
"""Two looks of the agent at the jar's processes: by then, daemons that the service left behind have been seen."""


def tell(event: events.AnyEvent) -> None:
    """One line of the stream."""
    printer.line(events.encode(event))


async def stream(
    session: Session, on_event: Callable[[events.AnyEvent], None] | None = tell, beside: Beside | None = None
) -> Exit:
    """Run a session to its end: `quit`, a signal, the end of what is beside it, or the agent's. Raises BellJarError."""
    ending, gone = asyncio.Event(), asyncio.Event()

    def heard(event: events.AnyEvent) -> None:
        if on_event is not None:
            on_event(event)
        if isinstance(event, events.TargetLost) and event.is_for_good:
            gone.set()

    session.on_event = heard
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        ending.set()

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(end_without_memory)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupt)
    reason = "quit"
    try:
        await session.start()
        listening = asyncio.create_task(_listen(session))
        waiting = asyncio.create_task(ending.wait())
        obeying = asyncio.create_task(_obey_to_the_end(session) if beside is None else beside(session))
        leaving = asyncio.create_task(gone.wait())
        await asyncio.wait([listening, waiting, obeying, leaving], return_when=asyncio.FIRST_COMPLETED)
        if interrupted:
            reason = "interrupted"
        elif gone.is_set() and session.state.target is not None:
            reason = f"{session.state.target.name} is gone: {session.state.target.lost}"
        elif obeying.done():
            reason = obeying.result()
        if not listening.done():
            await session.finish(reason)
        for task in (obeying, waiting, leaving):
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


async def _obey_to_the_end(session: Session) -> str:
    """Why the session is to end: asked to; or commands ran out, and then nothing lived in the jar any more."""
    if await obey(session):
        return "quit"
    while True:
        had_ended = session.state.exit_code is not None
        await asyncio.sleep(_SETTLED_S)
        if session.state.target is not None:
            continue  # it may come back, and is said to be gone when it does not
        if had_ended and all(process.is_gone for process in session.state.processes.values()):
            return "the service ended"


def with_commands(beside: Beside) -> Beside:
    """The same, with commands from stdin carried out meanwhile. `quit` ends it; the end of stdin does not."""

    async def both(session: Session) -> str:
        playing = asyncio.ensure_future(beside(session))
        obeying = asyncio.ensure_future(obey(session))
        try:
            await asyncio.wait([playing, obeying], return_when=asyncio.FIRST_COMPLETED)
            if not playing.done() and obeying.result():
                return "quit"
            return await playing
        finally:
            for task in (playing, obeying):
                task.cancel()

    return both


async def obey(session: Session) -> bool:
    """Carry out commands until `quit` (True) or the end of stdin (False), which alone ends nothing."""
    reader = await _stdin()
    while True:
        try:
            line = await reader.readline()
        except ValueError:
            session.reject("", "the line is longer than 1 MiB")
            continue
        if not line:
            return False
        if not line.strip():
            continue
        try:
            command = commands.decode(line)
        except msgspec.MsgspecError as error:
            session.reject(line.decode(errors="replace").strip(), str(error))
            continue
        if isinstance(command, commands.Quit):
            return True
        await session.do(command)


async def _stdin() -> asyncio.StreamReader:
    """Stdin, whatever it is: a pipe or a terminal as it comes, a file or /dev/null whole, and nothing when closed."""
    reader = asyncio.StreamReader(limit=_LINE_BYTES)
    if sys.stdin is None:
        reader.feed_eof()
    elif _can_be_waited_for(sys.stdin.fileno()):
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    else:
        reader.feed_data(await asyncio.to_thread(sys.stdin.buffer.read, _FILE_BYTES))
        reader.feed_eof()
    return reader


def _can_be_waited_for(descriptor: int) -> bool:
    """epoll refuses what is always ready: files, /dev/null."""
    with selectors.DefaultSelector() as selector:
        try:
            selector.register(descriptor, selectors.EVENT_READ)
        except PermissionError:
            return False
    return True
