"""What a call costs its caller in a jar, beside the same call outside: unix sockets (held), and TCP (never held).

python tests/bench/unix_calls.py
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from belljar_tui.core.events import ServiceExited
from belljar_tui.core.model import Mode, Wanted
from belljar_tui.jars.namespaces import NamespaceJar
from belljar_tui.wire.messages import Prepare

CALLS = 3000
CALLER = """
import socket, sys, time
path, count = sys.argv[1], int(sys.argv[2])
here = socket.create_server(("127.0.0.1", 0), backlog=4096)
def timed(family, address):
    spent = []
    for _ in range(count):
        with socket.socket(family) as made:
            began = time.perf_counter_ns()
            made.connect_ex(address)
            spent.append(time.perf_counter_ns() - began)
        if family == socket.AF_INET:
            here.accept()[0].close()
        time.sleep(0.0002)
    spent.sort()
    return f"{spent[count // 2] / 1000:.1f} {spent[count * 99 // 100] / 1000:.1f}"
print("unix", timed(socket.AF_UNIX, path))
print("tcp", timed(socket.AF_INET, here.getsockname()))
"""


def serve(path: str) -> None:
    """Accept whoever comes."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(4096)
        while True:
            server.accept()[0].close()


async def in_a_jar(folder: Path, path: str, wanted: Wanted) -> str:
    log = folder / f"{time.monotonic_ns()}.log"
    prepare = Prepare(
        service=(sys.executable, "-c", CALLER, path, str(CALLS)),
        wanted=wanted,
        environment=dict(os.environ),
        user=os.geteuid(),
        group=os.getegid(),
        log_path=str(log),
    )
    jar = NamespaceJar(prepare, lab="checkout", clock_zero=time.monotonic())
    await jar.start()
    try:
        async for event in jar.events():
            if isinstance(event, ServiceExited):
                break
    finally:
        await jar.finish()
    return log.read_text()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = f"{name}/server.sock"
        threading.Thread(target=serve, args=(path,), daemon=True).start()
        print(f"{'':14}{'connect, µs':<12} {'median':>8} {'p99':>8}")
        for _ in range(2):
            outside = subprocess.check_output([sys.executable, "-c", CALLER, path, str(CALLS)], text=True)
            rows = {
                "outside": outside,
                "jar, open": asyncio.run(in_a_jar(folder, path, Wanted())),
                "jar, refused": asyncio.run(in_a_jar(folder, path, Wanted(cuts={f"unix:{path}": Mode.REFUSE}))),
            }
            for where, said in rows.items():
                for line in said.splitlines():
                    what, median, p99 = line.split()
                    print(f"{where:<14}{what:<12} {median:>8} {p99:>8}")


if __name__ == "__main__":
    main()
