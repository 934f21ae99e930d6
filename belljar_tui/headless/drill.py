"""`belljar drill`: the list, one drill played on the screen or as a stream, its debrief, and drills from journals."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import msgspec
from rich.table import Table

from belljar_tui import locations
from belljar_tui.core.drill import NAME, VERSION, Calibration, Culprit, Drill, Fault, dependency_at, is_datagrams
from belljar_tui.core.events import CutRestored
from belljar_tui.core.fold import apply, fold
from belljar_tui.core.model import Dependency, How, Mode, Wanted
from belljar_tui.core.moments import Moment, moment_of
from belljar_tui.core.scenario import zero_of
from belljar_tui.core.scenario_of import NothingWasDone, scenario_of
from belljar_tui.core.state import State
from belljar_tui.errors import UsageError
from belljar_tui.headless import diagnostics, printer
from belljar_tui.headless.asked import asked_for_lab
from belljar_tui.headless.diagnostics import Exit
from belljar_tui.headless.opening import Opened, open_session
from belljar_tui.headless.options import require_terminal
from belljar_tui.headless.showing import note_files
from belljar_tui.headless.stream import obey, stream, tell
from belljar_tui.journal.drill_file import drill_text, read_drill, write_drill
from belljar_tui.journal.drill_progress import keep, read_progress
from belljar_tui.journal.reader import nothing_in, read_journal
from belljar_tui.journal.sessions import journal_at
from belljar_tui.labs import WORLDS
from belljar_tui.session import Session
from belljar_tui.teaching import Teacher

FOLDER = Path(__file__).parent.parent / "labs" / "drills"
_TOLD = ("cut", "restore", "health", "note", "blocked")
_FAILS = {"blackhole": How.HANG, "hang": How.HANG, "slow": How.SLOW}
"""What a cut in a recorded incident was to the service; refused, reset or unreachable is dead."""
_DELAY_S = 3.0


def drills() -> dict[str, Drill]:
    """The built-in ones by name, in their order. Raises BadDrill."""
    read = (read_drill(path) for path in sorted(FOLDER.glob("*.yaml")))
    return {drill.name: drill for drill in read}


def listed(*, as_json: bool) -> int:
    """Say which drills there are. Returns the exit code."""
    progress = read_progress(locations.drill_progress())
    known = drills()
    if as_json:
        fields = ("name", "lab", "teaches", "minutes", "level")
        shown = [{field: getattr(drill, field) for field in fields} for drill in known.values()]
        for each in shown:
            each["done"] = progress.get(each["name"])
        printer.json({"drills": shown})
        return Exit.HOLDS
    table = Table(box=None, pad_edge=False)
    for head in ("drill", "lab", "teaches", "min", "level", "best"):
        table.add_column(head)
    for drill in known.values():
        done = progress.get(drill.name)
        best = "" if done is None else str(done.best) if done.best else "not found"
        plays = f", {done.plays} plays" if done is not None and done.plays > 1 else ""
        table.add_row(drill.name, drill.lab, drill.teaches, str(drill.minutes), drill.level, best + plays)
    printer.rich(table, "\nBegin: belljar drill NAME")
    return Exit.HOLDS


def chosen(name: str) -> Drill:
    """A built-in drill by name, or one in a file. Raises UsageError and BadDrill."""
    known = drills()
    if name in known:
        return known[name]
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return read_drill(Path(name))
    raise UsageError(f"There is no drill {name!r}.", remedy=f"There are: {', '.join(known)}; or give a drill's file.")


def play(name: str, *, headless: bool, predict: bool, journal: str | None) -> int:
    """Play one to its end. 0 when the fault was found, 1 when not. Raises BellJarError."""
    drill = chosen(name)
    if not headless:
        require_terminal()
    asked = msgspec.structs.replace(
        asked_for_lab(drill.lab, Wanted(), name=f"drill-{drill.name}"),
        faults=tuple(map(str, drill.faults)),
        drill=name,
        journal=journal,
    )
    teacher = Teacher(drill, must_foretell=predict)
    opened = open_session(asked)
    opened.session.teacher = teacher
    code = _play_headless(opened, teacher) if headless else _play_on_screen(opened, teacher)
    note_files(opened)
    if code:
        return code
    teacher.give_up()
    _keep(drill.name, teacher.game.score)
    told = debrief(opened, teacher)
    if headless:
        printer.line(msgspec.json.encode(told))
    else:
        _say(drill, told)
    return Exit.HOLDS if teacher.game.is_found else Exit.BROKEN


def _keep(name: str, score: int) -> None:
    """A play is over, whether or not it can be written down."""
    try:
        keep(locations.drill_progress(), name, score)
    except UsageError as error:
        diagnostics.note(f"belljar: this play is not kept: {error}")


class Debrief(msgspec.Struct, tag_field="result", tag="debrief"):
    """What a play came to."""

    drill: str
    is_found: bool
    score: int
    hints: int
    wrong: int
    culprit: Culprit
    timeline: list[Moment]
    shortest: tuple[str, ...]
    calibration: Calibration | None


def debrief(opened: Opened, teacher: Teacher) -> Debrief:
    """Told from the journal: what happened, and the shortest way."""
    game, drill = teacher.game, teacher.game.drill
    assert drill is not None
    return Debrief(
        drill=drill.name,
        is_found=game.is_found,
        score=game.score,
        hints=game.hints,
        wrong=sum(not guess.is_right for guess in game.guesses),
        culprit=drill.culprit,
        timeline=moments_of(opened.journal),
        shortest=drill.shortest,
        calibration=game.calibration(opened.session.state, teacher.changes),
    )


def moments_of(journal: Path) -> list[Moment]:
    """What somebody who looks back wants to know the time of."""
    state, told = State(), []
    for event in read_journal(journal):
        moment = moment_of(event, state)
        state = apply(state, event)
        if moment is not None and moment.kind in _TOLD:
            told.append(moment)
    return told


def make(journal: str, *, output: str | None, name: str | None) -> int:
    """Turn a recorded incident in a lab into a drill whose hidden faults are its cuts. Raises BellJarError."""
    path = journal_at(journal)
    drill = drill_of(path, name or _name_for(output))
    _note_left_out(path, drill)
    if output is None or output == "-":
        printer.line(drill_text(drill).rstrip("\n").encode())
    else:
        write_drill(Path(output), drill)
        diagnostics.note(f"Wrote {output}: fill in what it teaches and its hints, then: belljar drill {output}")
    return Exit.HOLDS


def _name_for(output: str | None) -> str:
    """The output file's name, as a drill's name may be."""
    stem = Path(output or "").name.partition(".")[0].lower()
    return re.sub("[^a-z0-9]+", "-", stem).strip("-") or "my-drill"


def _note_left_out(path: Path, drill: Drill) -> None:
    """Say where the drill is not what was recorded, and which of several faults is the answer."""
    broken = [dependency_at(fault.host, WORLDS[drill.lab].dependencies) for fault in drill.faults]
    restored = {event.dependency for event in read_journal(path) if isinstance(event, CutRestored)}
    if again := [one for one in broken if one in restored]:
        diagnostics.note(f"Restored in the recording, and broken to the end in the drill: {', '.join(again)}")
    if len(broken) > 1:
        diagnostics.note(f"Of {len(broken)} faults the answer is the first, {drill.culprit.dependency}: see culprit.")


def drill_of(path: Path, name: str) -> Drill:
    """Raises BadJournal; UsageError where nothing was cut, the session was in no lab, or the name cannot be."""
    if not re.fullmatch(NAME, name):
        remedy = "Small letters, digits and hyphens: --name friday-outage"
        raise UsageError(f"A drill cannot be called {name!r}.", remedy=remedy)
    events = read_journal(path)
    if not events:
        raise nothing_in(path)
    command = getattr(events[0], "command", ())
    lab = next((lab for lab in WORLDS.values() if lab.service[-1] in command), None)
    if lab is None:
        raise UsageError(f"{path} was not recorded in a lab.", "A drill's world is a lab's.", "Use: belljar demo")
    try:
        scenario = scenario_of(events)
    except NothingWasDone:
        raise UsageError(f"Nothing was cut in {path}.", remedy="Cut something in a lab: belljar demo") from None
    hosts = {dependency_at(host, lab.dependencies): host for host in (*lab.hosts, "dns")}
    state = fold(events)
    offset_s = (zero_of(scenario, state) or state.service_started_at) - state.service_started_at
    faults: dict[str, Fault] = {}
    for step in scenario.steps:
        identity = str(Dependency.parse(step.cut)) if step.cut is not None else ""
        if identity in hosts and identity not in faults:
            host = hosts[identity]
            how = How.HANG if host == "dns" else _FAILS.get(step.mode or Mode.REFUSE, How.DEAD)
            after_s = min(round(step.moment + offset_s, 1), 600.0)
            if is_datagrams(host, lab.dependencies):
                how, after_s = How.DEAD, 0.0
            delay_s = _DELAY_S if how is How.SLOW else 0.0
            faults[identity] = Fault(host=host, how=how, after_s=after_s, delay_s=delay_s)
    if not faults:
        raise UsageError(f"No host of the lab was cut in {path}.", remedy="A drill is made from cuts: belljar demo")
    first = next(iter(faults))
    return Drill(
        belljar_drill=VERSION,
        name=name,
        lab=lab.name,
        teaches="what it teaches: say it here",
        minutes=10,
        level="middling",
        briefing=f"Something is wrong with {lab.name}. Find what, and how it fails.",
        faults=tuple(faults.values()),
        culprit=Culprit(dependency=first, how=faults[first].how),
        hints=(),
        shortest=(f"It is {first}, {faults[first].how}: cut or watch it, and compare.",),
    )


def _play_headless(opened: Opened, teacher: Teacher) -> int:
    async def beside(session: Session) -> str:
        obeying = asyncio.ensure_future(obey(session))
        found = asyncio.ensure_future(teacher.over.wait())
        await asyncio.wait([obeying, found], return_when=asyncio.FIRST_COMPLETED)
        for task in (obeying, found):
            task.cancel()
        return "the fault was found" if teacher.game.is_found else "given up"

    return int(asyncio.run(stream(opened.session, tell, beside)))


def _play_on_screen(opened: Opened, teacher: Teacher) -> int:
    from belljar_tui.tui.drill_app import DrillApp
    from belljar_tui.tui.keymap import read_keymap

    app = DrillApp(opened.session, teacher, read_keymap(locations.keymap()))
    app.run()
    return app.return_code or 0


def _say(drill: Drill, told: Debrief) -> None:
    from rich.markup import escape

    points = f"{told.score} of 100 points" if told.is_found else "not found"
    asked = f"{_counted(told.hints, 'hint')}, {_counted(told.wrong, 'wrong answer')}"
    happened, way = (Table.grid(padding=(0, 2)) for _ in range(2))
    for table in (happened, way):
        table.add_column(justify="right", no_wrap=True, min_width=10 if table is happened else 4)
        table.add_column(overflow="fold")
    for moment in told.timeline:
        happened.add_row(f"{moment.at:.1f} s", escape(moment.words))
    for number, step in enumerate(told.shortest, 1):
        way.add_row(f"{number}.", escape(step))
    printer.rich(f"[bold]{escape(drill.name)}[/]: {points}, {asked}", "", happened, "")
    printer.rich(f"It was {escape(told.culprit.dependency)}, {told.culprit.how}. The shortest way:", way)
    if told.calibration is not None:
        printer.rich("", f"Predictions: {told.calibration}")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun if number == 1 else noun + 's'}"
