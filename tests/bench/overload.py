"""20,000 blocked calls a second in a real jar, with the explorer before one's eyes: `python tests/bench/overload.py`.

    python tests/bench/overload.py [--seconds 10] [--per-s 20000] [--json]

`storm.c` (compiled with gcc) is the service: half of its calls over TCP and half over UDP, made on time whether or not
those before were answered, and beside them 50 calls a second one after another, as another part of the service would.
The explorer runs on a terminal of 120x40; a key is pressed every half second, and what is written to the terminal is
kept with its time and shown to a terminal emulator (pyte) afterwards, so that looking costs nothing meanwhile.

made, met           by the service's own count
blocked, lost       in the journal, and as the explorer's top line shows them at the end
key                 from the key to the write after which the panel shows the row that it moved to; and the same for as
                    long after the storm, which tells what else the machine does
waited              of that time, the share in which the explorer could run and no processor was free (schedstat); with
                    the machine's load, of others too
memory              resident, of the agent and of the explorer: before, and the most
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pyte

HERE = Path(__file__).resolve()
COLUMNS, ROWS = 120, 40
PAUSE_S, SETTLE_S, KEY_S = 4, 3.0, 0.5
LINGER_S = 5.0
"""So long the storm waits for the last answers (of its datagrams not all get one)."""
BESIDE_PER_S = 50
_TITLE = re.compile(r"198\.51\.100\.\d+ (?:tcp|udp) \d+")
Found = dict[str, Any]


class Terminal:
    """`belljar run` on a terminal whose every byte is kept with the time it came."""

    def __init__(self, command: list[str], home: Path) -> None:
        self.pid, self._descriptor = pty.fork()
        if self.pid == 0:
            kept = {"XDG_STATE_HOME": str(home), "TERM": "xterm-256color", "PYTHONPATH": str(HERE.parents[2])}
            environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")} | kept
            os.execve(command[0], command, environment)
        fcntl.ioctl(self._descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self.written: list[tuple[float, bytes]] = []
        self.pressed: list[float] = []

    def read_until(self, end: float) -> None:
        while (left := end - time.monotonic()) > 0:
            if select.select([self._descriptor], [], [], left)[0]:
                self.written.append((time.monotonic(), os.read(self._descriptor, 1 << 16)))

    def press(self, key: bytes, *, is_timed: bool = True) -> None:
        if is_timed:
            self.pressed.append(time.monotonic())
        os.write(self._descriptor, key)

    def leave(self) -> None:
        self.press(b"q", is_timed=False)
        end = time.monotonic() + 20
        while os.waitpid(self.pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > end:
                raise SystemExit("the explorer does not end")
            try:
                self.read_until(time.monotonic() + 0.05)
            except OSError:
                time.sleep(0.05)

    def replayed(self) -> tuple[list[tuple[float, float]], str]:
        """Each key, and milliseconds to the write that answers it; and the screen's last top line."""
        screen = pyte.Screen(COLUMNS, ROWS)
        stream = pyte.ByteStream(screen)
        waits: list[tuple[float, float]] = []
        keys = iter(self.pressed)
        key, before, top = next(keys, None), "", ""
        for at, data in self.written:
            if key is not None and at >= key and not before:
                before = _title(screen)
            stream.feed(data)
            if "BellJar" in screen.display[0] and "blocked" in screen.display[0]:
                top = screen.display[0].strip()
            if before and key is not None and (title := _title(screen)) and title != before:
                while key is not None and key <= at:  # one frame may answer two, where it took so long
                    waits.append((key, (at - key) * 1e3))
                    key = next(keys, None)
                before = ""
        return waits, top


def _title(screen: pyte.Screen) -> str:
    """The row that the panel on the right tells of."""
    found = _TITLE.search(" ".join(line[COLUMNS // 2 :] for line in screen.display[1:4]))
    return found.group() if found else ""


def compiled(folder: Path) -> Path:
    storm = folder / "storm"
    subprocess.run(["gcc", "-O2", "-o", str(storm), str(HERE.with_name("storm.c"))], check=True)
    return storm


def storm_words(output: str) -> list[Found]:
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def is_agent(process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:
        return False
    return "belljar_tui.agent.main" in words and "--" not in words


def memory_mb(process: psutil.Process) -> float:
    return float(process.memory_info().rss / 1e6)


def waited_s(process: psutil.Process) -> float:
    """How long its main thread was ready to run and did not."""
    return int(Path(f"/proc/{process.pid}/task/{process.pid}/schedstat").read_text().split()[1]) / 1e9


def keys_ms(waits: list[float]) -> Found:
    by_size = sorted(waits)
    p90 = by_size[int(len(by_size) * 0.9)]
    return {"median": statistics.median(by_size), "p90": p90, "worst": by_size[-1], "keys": len(by_size)}


def of_journal(path: Path) -> tuple[Counter[str], Counter[str], int, int]:
    """Blocked calls by protocol, lost by source, events, and the most events that came within a second."""
    blocked: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    per_s: Counter[int] = Counter()
    for line in path.read_text().splitlines()[1:]:
        event = json.loads(line)
        per_s[int(event["at"])] += 1
        if event["event"] == "call_blocked":
            blocked[event["dependency"].partition(":")[0]] += event["count"]
        elif event["event"] == "events_lost":
            lost[event["source"]] += event["count"]
    return blocked, lost, per_s.total(), max(per_s.values())


def measured(seconds: float, per_s: int) -> Found:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        journal = home / "journal.belljar.jsonl"
        rates = [str(per_s // 2), str(per_s // 2), str(BESIDE_PER_S), str(PAUSE_S)]
        service = [str(compiled(home)), str(seconds), *rates]
        sealed = ["--seal", "vacuum", "--journal", str(journal)]
        terminal = Terminal([sys.executable, "-m", "belljar_tui", "run", *sealed, "--", *service], home)
        app = psutil.Process(terminal.pid)
        while b"service_started" not in (journal.read_bytes() if journal.exists() else b""):
            terminal.read_until(time.monotonic() + 0.1)
        log = next(home.rglob("service.log"))
        agent = next(p for p in app.children(recursive=True) if is_agent(p))
        memory = {"agent": [memory_mb(agent)], "explorer": [memory_mb(app)]}
        number, over, end = 0, 0.0, time.monotonic() + PAUSE_S + seconds + 60
        marks: list[tuple[float, float]] = []
        while (not over or time.monotonic() < over + seconds) and time.monotonic() < end:
            terminal.read_until(time.monotonic() + KEY_S)
            if not over and "done" in log.read_text():
                over = time.monotonic()
                marks.append((over, waited_s(app)))
            if b'"tcp' in journal.read_bytes():
                if not marks:
                    marks.append((time.monotonic(), waited_s(app)))
                terminal.press(b"\x1b[B" if number % 12 < 6 else b"\x1b[A")
                number += 1
            memory["agent"].append(memory_mb(agent))
            memory["explorer"].append(memory_mb(app))
        marks.append((time.monotonic(), waited_s(app)))
        used_s = {"agent": sum(agent.cpu_times()[:2]), "explorer": sum(app.cpu_times()[:2])}
        terminal.read_until(time.monotonic() + SETTLE_S)
        terminal.leave()
        blocked, lost, events, most = of_journal(journal)
        waits, top = terminal.replayed()
        during = [ms for at, ms in waits if at < over - LINGER_S]
        after = [ms for at, ms in waits if at > over]
        return {
            "service": storm_words(log.read_text()),
            "blocked": dict(blocked),
            "lost": dict(lost),
            "events": {"all": events, "most within a second": most},
            "screen": top,
            "key_ms": keys_ms(during),
            "key_after_ms": keys_ms(after),
            "waited": {
                name: (to[1] - since[1]) / (to[0] - since[0])
                for name, since, to in zip(("in the storm", "after"), marks, marks[1:], strict=False)
            }
            | {"load": os.getloadavg()[0]},
            "memory_mb": {who: {"before": each[0], "most": max(each)} for who, each in memory.items()},
            "processor_s": used_s,
        }


def made(found: Found) -> Counter[str]:
    """Calls by protocol, by the service's own count."""
    count: Counter[str] = Counter()
    for each in found["service"]:
        if "protocol" in each:
            count["udp" if each["protocol"] == "udp" else "tcp"] += each["made"]
    return count


def told(found: Found) -> None:
    for each in found["service"]:
        if "protocol" in each:
            met = ", ".join(f"{error} {count:,}" for error, count in each["met"].items())
            print(
                f"{each['protocol']:<8} made {each['made']:>8,}   {each['per_s']:>7,.0f} a second   met {met}"
                f"   never answered {each['made'] - each['answered']:,}   not made {each['not_made']:,}"
            )
        else:
            print(
                "         beside, one after another: " + "  ".join(f"{k} {v} µs" for k, v in each["beside_us"].items())
            )
    for protocol, count in sorted(made(found).items()):
        blocked = found["blocked"].get(protocol, 0)
        print(f"{protocol:<8} blocked {blocked:,} of {count:,}: {'exact' if blocked == count else blocked - count}")
    for name in ("lost", "events", "key_ms", "key_after_ms", "waited", "processor_s"):
        print(f"{name:<14}" + "   ".join(f"{k} {v:,.4g}" for k, v in found[name].items()))
    for who, each in found["memory_mb"].items():
        print(f"memory_mb     {who}: before {each['before']:.1f}, most {each['most']:.1f}")
    print(f"screen        {found['screen']}")


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--seconds", type=float, default=10)
    asked.add_argument("--per-s", type=int, default=20_000)
    asked.add_argument("--json", action="store_true")
    given = asked.parse_args()
    found = measured(given.seconds, given.per_s)
    print(json.dumps(found, indent=2)) if given.json else told(found)


if __name__ == "__main__":
    main()
