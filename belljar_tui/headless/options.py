"""Options that several commands share, and what is checked before anything starts."""

from __future__ import annotations

import math
import os
import sys
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from belljar_tui.core.check import parse_check
from belljar_tui.core.failures import help_lines
from belljar_tui.core.given import TrialModes, parse_modes
from belljar_tui.core.model import Dependency
from belljar_tui.core.trial import Recovery
from belljar_tui.errors import BellJarError, UsageError
from belljar_tui.labs import LABS

Command = TypeVar("Command", bound=Callable[..., Any])


class HealthCheck(click.ParamType[str]):
    """http://…, tcp://… or exec:…, checked while the command line is read."""

    name = "check"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return str(parse_check(str(value)))
        except BellJarError as error:
            self.fail(str(error), param, ctx)


def complete_targets(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Names of what could be attached to, for the shell; none, and no words, where no engine answers at once."""
    from belljar_tui.jars.target import names_of_running

    return [name for name in names_of_running() if name.startswith(incomplete)]


class Seconds(click.FloatRange):
    """A number of seconds: nan and inf are numbers to Python, not to a person."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a number of seconds.", param, ctx)
        return number


def address_options(command: Command) -> Command:
    """How names that share an address are cut."""
    return click.option(
        "--virtual-addresses/--no-virtual-addresses",
        default=True,
        show_default=True,
        help="Of names that share an address, give each but the first one of the jar's own (198.18.0.0/15), so that it "
        "can be cut alone; without, they are cut together.",
    )(command)


def health_options(command: Command) -> Command:
    """How health is measured."""
    for option in (
        click.option(
            "--health",
            "checks",
            multiple=True,
            type=HealthCheck(),
            help="A health check, run from inside the jar: http://localhost:8080/ready, tcp://localhost:5432 or "
            "exec:COMMAND. Repeat for several.",
        ),
        click.option(
            "--health-for",
            default=2,
            show_default=True,
            type=click.IntRange(1),
            help="Healthy = all checks pass this many times in a row.",
        ),
        click.option(
            "--health-every",
            default=0.5,
            show_default=True,
            type=Seconds(0.05),
            help="Seconds between two rounds of checks.",
        ),
        click.option(
            "--health-timeout",
            default=2.0,
            show_default=True,
            type=Seconds(0.05),
            help="Seconds one check may take.",
        ),
    ):
        command = option(command)
    return command


MODES_HELP = "\b\nHow a cut can fail:\n" + "\n".join(
    line for each in help_lines() for line in textwrap.wrap(each, 96, initial_indent="  ", subsequent_indent=" " * 15)
)


def session_options(command: Command) -> Command:
    """How a session is shown and kept."""
    for option in (
        click.option(
            "--headless",
            is_flag=True,
            help="No screen: events as JSON Lines on stdout, commands as JSON Lines on stdin.",
        ),
        click.option(
            "--seal",
            type=click.Choice(["open", "vacuum"]),
            default="open",
            show_default=True,
            help="What happens to dependencies nobody has decided about.",
        ),
        click.option(
            "--journal",
            type=click.Path(dir_okay=False),
            help="Where to write the journal (default: a folder of its own under ~/.local/state/belljar/sessions).",
        ),
    ):
        command = option(command)
    return command


def scenario_options(command: Command) -> Command:
    """An outage as a script."""
    for option in (
        click.option(
            "--scenario",
            type=click.Path(exists=True, dir_okay=False),
            metavar="FILE",
            help="Play an outage from a file beside the session; exit code 0 when all went as it expects, 1 when not.",
        ),
        click.option("--predict", is_flag=True, help="Before each cut, say what it will do; the end says how well."),
        click.option(
            "--json", "as_json", is_flag=True, help="With --scenario: no screen, and one JSON object with the result."
        ),
    ):
        command = option(command)
    return command


def environment_of(extra: Sequence[str]) -> dict[str, str]:
    """Our own environment with `NAME=VALUE` settings on top; a bare NAME must be set already."""
    environment = dict(os.environ)
    for setting in extra:
        name, equals, value = setting.partition("=")
        if not name:
            raise UsageError(f"--env {setting}: the name is missing.", remedy="Write it like --env NAME=VALUE")
        if equals:
            environment[name] = value
        elif name not in environment:
            raise UsageError(f"--env {name}: there is no such variable.", remedy=f"Give it a value: --env {name}=VALUE")
    return environment


def require_command(command: Sequence[str]) -> None:
    """Raises UsageError when the service's program cannot be found."""
    from shutil import which  # loads every kind of archive, and a container is no command

    if which(command[0]) is None:
        raise UsageError(
            f"{command[0]}: there is no such command.",
            remedy="Check the spelling and PATH; a program in this folder is written ./NAME",
        )


def explorer_search_options(command: Command) -> Command:
    """What `x` searches with."""
    for option in (
        click.option(
            "--modes",
            default="refuse,blackhole",
            show_default=True,
            type=Modes(),
            help="Of the search (x): how cuts fail, with parameters or without (slow:delay_s=2). The set is found in "
            "the first, which must be able to seal; the table shows what each does alone.",
        ),
        click.option(
            "--jobs",
            "-j",
            default=1,
            show_default=True,
            type=click.IntRange(1, 64),
            help="Of the search: trials side by side.",
        ),
    ):
        command = option(command)
    return command


class DependencyId(click.ParamType[str]):
    """tcp://orders-db:5432 and the like, checked while the command line is read."""

    name = "id"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return str(Dependency.parse(str(value)))
        except BellJarError as error:
            self.fail(str(error), param, ctx)


class Modes(click.ParamType[TrialModes]):
    """refuse,blackhole,slow:delay_s=2"""

    name = "modes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> TrialModes:
        if isinstance(value, dict):
            return value
        try:
            return parse_modes(str(value))
        except BellJarError as error:
            self.fail(str(error), param, ctx)


def service_options(command: Command) -> Command:
    """What the service is given."""
    for option in (
        click.option(
            "--forward",
            multiple=True,
            type=click.IntRange(1, 65535),
            metavar="PORT",
            help="Lead this TCP port of the jar's loopback to the same port of the machine's loopback. It is a "
            "dependency then: tcp://localhost:PORT. Repeat for several.",
        ),
        click.option(
            "--env",
            "-e",
            "settings",
            multiple=True,
            metavar="NAME[=VALUE]",
            help="Set a variable for the service, which otherwise has your environment (a container: its image's). "
            "Profiles name it, never its value.",
        ),
        click.option("--name", help="What to call it (default: the program's name)."),
    ):
        command = option(command)
    return command


def search_options(command: Command) -> Command:
    """How the minimal working set is searched for."""
    for options in (_world_options, _trial_options, _question_options, _record_options):
        command = options(command)
    return command


def _world_options(command: Command) -> Command:
    """What plays the jar, and where the answer goes."""
    for option in (
        click.option("-o", "--output", type=click.Path(dir_okay=False), help="Save the answer as a profile."),
        click.option(
            "--lab",
            type=click.Choice(list(LABS)),
            metavar="LAB",
            help="Search in a built-in lab (belljar demo --help lists them), instead of a COMMAND.",
        ),
        click.option(
            "--trial-command",
            metavar="COMMAND",
            help="Let this command play the jar. It gets the ids left open in BELLJAR_OPEN, one a line, and the others "
            "in BELLJAR_CUT; exit code 0 means healthy, 1 broken, 125 inconclusive.",
        ),
        click.option(
            "--dependencies",
            type=click.Path(exists=True, dir_okay=False),
            help="With --trial-command: a file with one id a line (# begins a comment).",
        ),
        click.option(
            "--trial-limit",
            default=600.0,
            show_default=True,
            type=Seconds(0.1),
            help="With --trial-command: seconds one trial may take.",
        ),
    ):
        command = option(command)
    return command


def _trial_options(command: Command) -> Command:
    """How one trial goes, and how many at once."""
    for option in (
        click.option(
            "--recovery",
            type=click.Choice([str(kind) for kind in Recovery]),
            default="cold",
            show_default=True,
            help="cold: start the service afresh for each trial; steady: cut while it runs, then restore.",
        ),
        click.option(
            "--modes",
            default="refuse",
            show_default=True,
            type=Modes(),
            help="How cuts fail, separated by commas, some with parameters (slow:delay_s=2). The set is found in "
            "the first, which must be able to seal; the table shows what each does alone.",
        ),
        click.option(
            "--deadline",
            "deadline_s",
            type=Seconds(0.1),
            help="Seconds within which the service must be healthy (default: five times what it takes with everything "
            "open, at least 10).",
        ),
        click.option(
            "--soak",
            "soak_s",
            type=Seconds(0),
            help="Seconds that health must hold (default: two rounds of checks), or with steady, that a cut lasts "
            "(default: 5).",
        ),
        click.option(
            "--jobs", "-j", default=1, show_default=True, type=click.IntRange(1, 64), help="Trials side by side."
        ),
        click.option(
            "--retries",
            default=0,
            show_default=True,
            type=click.IntRange(0, 3),
            help="Repeat a failure that a member rests on this many times before it is believed.",
        ),
    ):
        command = option(command)
    return command


def _question_options(command: Command) -> Command:
    """What is asked."""
    for option in (
        click.option("--open", "stay_open", multiple=True, type=DependencyId(), help="Never cut this one."),
        click.option("--cut", "stay_cut", multiple=True, type=DependencyId(), help="Keep this one cut."),
        click.option(
            "--prefer",
            multiple=True,
            type=DependencyId(),
            help="Where one of several will do, keep this one. Repeat, best first.",
        ),
        click.option("--all", "is_all", is_flag=True, help="Find every minimal working set and every cut set."),
        click.option(
            "--limit", default=64, show_default=True, type=click.IntRange(1), help="With --all: stop at this many sets."
        ),
        click.option("--direct", "is_direct", is_flag=True, help="Infer nothing: every claim is a trial of its own."),
    ):
        command = option(command)
    return command


def _record_options(command: Command) -> Command:
    """What is kept of it, and how it is told."""
    for option in (
        click.option(
            "--resume", type=click.Path(exists=True), help="Go on from the journal of a search that was interrupted."
        ),
        click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, for machines."),
        click.option("--journal", type=click.Path(dir_okay=False), help="Where to write the journal."),
    ):
        command = option(command)
    return command


def require_terminal() -> None:
    """Raises UsageError where the explorer would have no screen."""
    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise UsageError(
            "The explorer needs a terminal, and this is none.",
            remedy="Add --headless for events as JSON Lines, or use: belljar verify PROFILE",
        )
