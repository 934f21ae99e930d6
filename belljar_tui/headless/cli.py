"""The command line. Everything heavy is imported inside a command, so that `--help` answers at once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from belljar_tui import __version__
from belljar_tui.core.given import TrialModes
from belljar_tui.errors import BellJarError
from belljar_tui.headless import diagnostics
from belljar_tui.headless.cli_files import FILE_COMMANDS
from belljar_tui.headless.container_options import ContainerAsked, container_options
from belljar_tui.headless.options import (
    MODES_HELP,
    address_options,
    complete_targets,
    explorer_search_options,
    health_options,
    scenario_options,
    search_options,
    service_options,
    session_options,
)
from belljar_tui.labs import LABS

if TYPE_CHECKING:
    pass

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
WITH_COMMAND = {**CONTEXT, "ignore_unknown_options": False, "allow_interspersed_args": False}
"""What comes after the first word that is no option is the service's command."""


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, prog_name="belljar")
def cli() -> None:
    """What does this service really need to run?

    BellJar seals a service in a container of plain Linux namespaces, shows its dependencies as a live graph, and lets
    you cut and restore each one while health and blocked calls come in.

    \b
      belljar demo                                          explore the built-in lab
      belljar run --health http://localhost:8080/ready -- ./server --port 8080
      belljar minimize --lab checkout                       find what it cannot do without
      belljar drill                                         learn: find a hidden fault
      belljar replay                                        look around in a recorded session
      belljar verify checkout.belljar.yaml                  prove a saved profile again, in CI
      belljar doctor                                        what this machine can do
    """


@cli.command(epilog=MODES_HELP, short_help="Explore a built-in LAB, a little world of namespaces.")
@click.argument("lab", default="checkout", type=click.Choice(list(LABS)), metavar="[LAB]")
@session_options
@address_options
@explorer_search_options
@scenario_options
def demo(lab: str, modes: TrialModes, jobs: int, **options: Any) -> None:
    """Explore a built-in LAB: a little world in namespaces of its own.

    Needs no root, no engine and no network. Move to auth.lab and press space: the row is cut, blocked calls come in,
    and health turns red with the check's own words. Space again, and it recovers.

    \b
    Labs:
      checkout    a shop's checkout, nine dependencies, one of which is in no document (unless you say otherwise)
      pool        a shop that makes every call through four shared workers
      bootstrap   a portal and the four services it needs; bootstrap/identity, /storage, /vault, /scheduler and
                  /portal put that one of the five into the jar
    """
    from belljar_tui.headless import run as running

    sys.exit(running.demo(lab, search=(modes, jobs), **options))


@cli.command(epilog=MODES_HELP, context_settings=WITH_COMMAND)
@health_options
@service_options
@container_options
@session_options
@address_options
@explorer_search_options
@scenario_options
@click.argument("command", nargs=-1, metavar="[-- COMMAND...]")
def run(
    command: tuple[str, ...],
    checks: tuple[str, ...],
    health_for: int,
    health_every: float,
    health_timeout: float,
    modes: TrialModes,
    jobs: int,
    **options: Any,
) -> None:
    """Run COMMAND in a sealed jar and explore it.

    The service sees your files and environment, and a network of its own whose way out is yours to cut. When BellJar
    ends, however it ends, the service ends with it and nothing is left behind.

    \b
      belljar run --health http://localhost:8080/ready -- ./server --port 8080
      belljar run --forward 5432 --forward 6379 --health tcp://localhost:8000 -- python app.py
      belljar run --seal vacuum --headless -- ./server      everything cut from its first packet
      belljar run --image shop/checkout:1.4 --network backend -e DB_URL -p 8080:8080
      belljar run --from checkout                           a clone of a container that runs
      belljar run --scenario outage.yaml --json --health http://localhost:8080/ready -- ./server
    """
    from belljar_tui.headless import run as running
    from belljar_tui.wire.messages import Checks

    health = Checks(checks, every_s=health_every, timeout_s=health_timeout, healthy_for=health_for)
    container = ContainerAsked(**{name: options.pop(name) for name in ContainerAsked.__struct_fields__})
    sys.exit(running.run(command, health=health, search=(modes, jobs), container=container, **options))


@cli.command()
@health_options
@click.option(
    "--via",
    type=click.Choice(["auto", "host", "sidecar"]),
    default="auto",
    show_default=True,
    help="How to enter: host (as root on the engine's own machine; needs no image) or sidecar (a container of "
    "the agent's image beside the target).",
)
@click.option("--name", help="What to call the session (default: the target's name).")
@session_options
@click.argument("target", required=False, shell_complete=complete_targets)
def attach(
    target: str | None,
    checks: tuple[str, ...],
    health_for: int,
    health_every: float,
    health_timeout: float,
    via: str,
    name: str | None,
    headless: bool,
    seal: str,
    journal: str | None,
) -> None:
    """Seal a TARGET that runs already, without restarting it.

    TARGET is a container (name or id), a Compose service (service or project/service), or the PID of a process in a
    network namespace of its own. Without one, choose from a list. Its own HEALTHCHECK is the check when none is given.
    When BellJar ends, however it ends, the target is as it was before. For the same reason it is given no virtual
    addresses: names that share one are cut together.

    \b
      belljar attach checkout
      belljar attach shop/checkout --health http://localhost:8080/ready
      belljar attach 4711 --headless
    """
    from belljar_tui.headless import attach as attaching
    from belljar_tui.wire.messages import Checks

    health = Checks(checks, every_s=health_every, timeout_s=health_timeout, healthy_for=health_for)
    code = attaching.attach(target, via=via, name=name, health=health, seal=seal, headless=headless, journal=journal)
    sys.exit(code)


@cli.command(
    context_settings=WITH_COMMAND,
    short_help="Find what COMMAND cannot do without, by cutting.",
)
@health_options
@service_options
@container_options
@address_options
@search_options
@click.argument("command", nargs=-1, metavar="[-- COMMAND...]")
def minimize(**options: Any) -> None:
    """Find the minimal working set of COMMAND: what it cannot do without, proven by cutting.

    Trial by trial the service is started in a sealed jar of its own, with some dependencies open and the rest cut,
    until none can be taken away any more. Says which are single points of failure, and which stand in for each other.

    \b
      belljar minimize -o shop.belljar.yaml --health http://localhost:8080/ready -- ./server
      belljar minimize --image shop/checkout:1.4 --network backend -o checkout.belljar.yaml
      belljar minimize --from checkout -o checkout.belljar.yaml
      belljar minimize --lab checkout --jobs 4
      belljar minimize --lab checkout --modes refuse,blackhole   what breaks it if it hangs?
      belljar minimize --trial-command ./try.sh --dependencies deps.txt

    Exit codes: 0 found, 1 never healthy even with everything open, 2 usage, 4 the jar could not be made or sealed,
    5 inconclusive, 130 interrupted (the verdicts so far are kept, and it says how to go on).
    """
    from belljar_tui.headless import minimize as minimizing

    sys.exit(minimizing.minimize(**options))


@cli.command()
@click.argument("profiles", nargs=-1, required=True, metavar="PROFILE...", type=click.Path())
@click.option("--strict", is_flag=True, help="Prove that each member of the working set is still needed, too.")
@click.option("--junit", type=click.Path(), metavar="FILE", help="Write the results to FILE as JUnit XML.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Jars at once.")
@address_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, for machines.")
def verify(
    profiles: tuple[str, ...], strict: bool, junit: str | None, jobs: int, virtual_addresses: bool, as_json: bool
) -> None:
    """Prove saved profiles again: one sealed run each, no screen.

    Everything outside the profile's working set is cut from the first packet; the service must become healthy within
    the deadline all the same. A profile of kind steady is started open, and cut once it is healthy. With --strict there
    is one more run for each member, with that member cut too: it must not get healthy. In GitHub Actions, what does not
    hold is annotated in the profile, and the job's summary has a table.

    \b
    Exit codes: 0 holds, 1 broken, 2 usage, 3 drifted (the service calls something the profile does not know, or with
    --strict does without a member), 4 the jar could not be made or sealed, 5 inconclusive, 130 interrupted.
    Of several, the worst.
    """
    from belljar_tui.headless import verify as verifying

    code = verifying.verify(
        profiles, as_json=as_json, is_strict=strict, junit=junit, jobs=jobs, virtual_addresses=virtual_addresses
    )
    sys.exit(code)


@cli.command(short_help="Say what this machine can do, and how to get what it cannot.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, for machines.")
def doctor(as_json: bool) -> None:
    """Say what this machine can do, and what to do about what it cannot."""
    from belljar_tui.headless import doctor as examining

    sys.exit(examining.doctor(as_json=as_json))


@cli.command("agent-image")
@click.option("--base", metavar="IMAGE", help="An image with this Python (default: the slim one of the same version).")
def agent_image(base: str | None) -> None:
    """Build the image that agents of containers run from.

    `belljar run --image` builds it by itself when it is missing; here its base can be chosen. The base must be there
    already, and have the Python that BellJar runs on; the rest comes from this installation, so no network is needed.

    \b
      belljar agent-image
      belljar agent-image --base registry.lab/python:3.12
    """
    from belljar_tui.headless import engine as with_engine

    sys.exit(with_engine.build_agent_image(base))


@cli.command(short_help="Remove what a killed session left in the Docker engine.")
def clean() -> None:
    """Remove containers that a killed session left in the Docker engine.

    There should be none: containers of a session end with it, and the engine removes them. Those of a session that
    still runs are left alone.
    """
    from belljar_tui.headless import engine as with_engine

    sys.exit(with_engine.clean())


@cli.command(short_help="Find a hidden fault in a lab; without a NAME, list them.")
@click.argument("name", required=False, metavar="[NAME|FILE]")
@click.option("--headless", is_flag=True, help="No screen: events on stdout, commands on stdin, then the debrief.")
@click.option("--predict", is_flag=True, help="Before each cut, say what it will do; the debrief says how well.")
@click.option("--json", "as_json", is_flag=True, help="The list as one JSON object on stdout, for machines.")
@click.option("--make", "journal_of", type=click.Path(), metavar="JOURNAL", help="Make a drill from a session.")
@click.option("-o", "--output", type=click.Path(), metavar="FILE", help="With --make: write to FILE, not stdout.")
@click.option("--name", "called", metavar="NAME", help="With --make: the drill's name (default: FILE's).")
@click.option("--journal", type=click.Path(dir_okay=False), help="Where to write the journal.")
def drill(
    name: str | None, journal_of: str | None, output: str | None, called: str | None, as_json: bool, **options: Any
) -> None:
    """Find a hidden fault in a lab; without a NAME, list the drills.

    Something is broken that the map does not show. Cut, restore and watch, then answer which dependency it is and how
    it fails (dead, hang, slow or cold). A hint costs 15 points, a wrong answer 25.

    \b
      belljar drill
      belljar drill plain
      belljar drill --make journal.belljar.jsonl -o friday.yaml

    Exit codes: 0 found, 1 not found, 2 usage, 4 the jar could not be made or sealed.
    """
    from belljar_tui.headless import drill as drilling

    if journal_of is not None:
        sys.exit(drilling.make(journal_of, output=output, name=called))
    sys.exit(drilling.listed(as_json=as_json) if name is None else drilling.play(name, **options))


@cli.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a SHELL.

    \b
      belljar completion bash > ~/.local/share/bash-completion/completions/belljar
    """
    from click.shell_completion import get_completion_class

    from belljar_tui.headless import printer

    made = get_completion_class(shell)
    if made is not None:
        printer.line(made(cli, {}, "belljar", "_BELLJAR_COMPLETE").source().encode())


for _command in FILE_COMMANDS:
    cli.add_command(_command)


def main() -> None:
    """The `belljar` command."""
    try:
        sys.exit(cli.main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BellJarError as error:
        diagnostics.fail(error)
    except BrokenPipeError:
        sys.exit(0)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(diagnostics.Exit.INTERRUPTED)
    except MemoryError:
        diagnostics.starve()
    except Exception as error:  # noqa: BLE001  # the last door: a person sees one line, the report has the rest
        diagnostics.crash(error)
