"""Options that several commands share, and what is checked before anything starts."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from belljar_tui.core.check import parse_check
from belljar_tui.errors import BellJarError, UsageError

Command = TypeVar("Command", bound=Callable[..., Any])


class HealthCheck(click.ParamType[str]):
    """http://…, tcp://… or exec:…, checked while the command line is read."""

    name = "check"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return str(parse_check(str(value)))
        except BellJarError as error:
            self.fail(str(error), param, ctx)


class Seconds(click.FloatRange):
    """A number of seconds: nan and inf are numbers to Python, not to a person."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a number of seconds.", param, ctx)
        return number


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
    if shutil.which(command[0]) is None:
        raise UsageError(
            f"{command[0]}: there is no such command.",
            remedy="Check the spelling and PATH; a program in this folder is written ./NAME",
        )
