"""`belljar order`: from a profile per service to the order in which everything can start."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.text import Text

from belljar_tui.core.order.cycles import LIMIT, Cycle
from belljar_tui.core.order.matching import told
from belljar_tui.core.order.plan import Order, new_cycles, order_of
from belljar_tui.errors import UsageError
from belljar_tui.export.order import export_order
from belljar_tui.headless import diagnostics, printer
from belljar_tui.headless.diagnostics import Exit
from belljar_tui.headless.ordering.baseline import known_pairs
from belljar_tui.headless.ordering.reading import Reading, read_all
from belljar_tui.headless.ordering.result import result_of
from belljar_tui.headless.ordering.text import lines_of
from belljar_tui.journal.whole_file import remedy, write_whole


def order(
    paths: Sequence[str],
    *,
    as_json: bool = False,
    to: str | None = None,
    explore: bool = False,
    output: str | None = None,
    baseline: str | None = None,
    provides: Sequence[str] = (),
    roots: Sequence[str] = (),
    cycles: int = LIMIT,
    keep_going: bool = False,
) -> int:
    """Returns the exit code: 1 where a cycle exists (with a baseline: a new one), 2 where a profile could not be used.

    Raises:
        UsageError: what was asked for makes no sense, or there is nothing to order.
    """
    _require_one_kind(as_json=as_json, to=to, explore=explore, output=output)
    known = known_pairs(baseline) if baseline is not None else None
    reading = read_all(paths)
    for problem in reading.problems:
        diagnostics.note(f"belljar: {problem}")
    if reading.problems and not keep_going:
        if reading.counted:
            rest = f"the {len(reading.counted)} that can" if len(reading.counted) > 1 else "the one that can"
            diagnostics.note(f"belljar: Nothing was ordered. --keep-going goes on with {rest} be used.")
        return Exit.USAGE
    _require_cold(reading)
    plan = _plan(reading, provides, roots, cycles)
    for note in [*reading.notes, *plan.warnings, *_incomplete(reading)]:
        diagnostics.note(f"belljar: {note}")
    fresh = None if known is None else list(new_cycles(plan, known))
    if explore:
        _explore(plan, reading)
    else:
        _tell(plan, reading, fresh, as_json=as_json, to=to, output=output)
    if reading.problems:
        return Exit.USAGE
    return Exit.BROKEN if (plan.blocked if fresh is None else fresh) else Exit.HOLDS


def _plan(reading: Reading, provides: Sequence[str], roots: Sequence[str], cycles: int) -> Order:
    names = [entry.profile.name for entry in reading.counted]
    said = told(names, [_pair(text) for text in provides], roots)
    return order_of((entry.source for entry in reading.counted), said, cycles)


def _pair(text: str) -> tuple[str, str]:
    service, equals, identity = text.partition("=")
    if not (service and equals and identity):
        remedy = "Write it like --provides orders-db=tcp://10.9.0.44:5432, or with a host for all its ports."
        raise UsageError(f"--provides {text}: it is not SERVICE=ID.", remedy=remedy)
    return service, identity


def _require_one_kind(*, as_json: bool, to: str | None, explore: bool, output: str | None) -> None:
    asked = [name for name, is_on in (("--json", as_json), ("--to", to is not None), ("--explore", explore)) if is_on]
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} cannot be had at once.", remedy="Run it once for each.")
    if explore and output is not None:
        raise UsageError("--explore writes no file.", remedy="Leave -o out, or leave --explore out.")
    if explore and not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("--explore needs a terminal.", remedy="Leave it out to get the order as text.")


def _require_cold(reading: Reading) -> None:
    if reading.counted:
        return
    steady = len(reading.steady)
    what = f"There are {steady} profiles, all of kind steady." if steady else "No profile could be read."
    remedy = "An order needs cold ones, which say what a start needs: belljar minimize --recovery cold"
    raise UsageError("There is nothing to order.", what, remedy)


def _incomplete(reading: Reading) -> list[str]:
    if not reading.problems:
        return []
    count = len(reading.problems)
    return [f"This order is incomplete: {'a profile is' if count == 1 else f'{count} profiles are'} not in it."]


def _tell(
    plan: Order, reading: Reading, fresh: Sequence[Cycle] | None, *, as_json: bool, to: str | None, output: str | None
) -> None:
    if as_json:
        text = msgspec.json.format(msgspec.json.encode(result_of(plan, reading, fresh)), indent=2)
    elif to is not None:
        made = export_order(to, plan, {entry.profile.name: entry.profile for entry in reading.counted})
        for note in made.notes:
            diagnostics.note(f"belljar: {note}")
        text = made.text.removesuffix("\n").encode(errors="replace")
    elif output is None or output == "-":
        printer.rich("\n".join(lines_of(plan, reading, fresh)))
        return
    else:
        text = Text.from_markup("\n".join(lines_of(plan, reading, fresh))).plain.encode(errors="replace")
    if output is None or output == "-":
        printer.line(text)
        return
    try:
        write_whole(Path(output), text + b"\n")
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}.", remedy=remedy(error)) from error


def _explore(plan: Order, reading: Reading) -> None:
    from belljar_tui.tui.order_app import OrderApp

    OrderApp(plan, {entry.profile.name: entry.profile for entry in reading.counted}).run()
