"""The command line. Everything heavy is imported inside a command, so that `--help` answers at once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from belljar_tui import __version__
from belljar_tui.core.model import Mode
from belljar_tui.errors import BellJarError
from belljar_tui.export import FORMATS
from belljar_tui.export.order import ORDER_FORMATS
from belljar_tui.headless import diagnostics
from belljar_tui.headless.container_options import ContainerAsked, container_options
from belljar_tui.headless.options import (
    MODES_HELP,
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
    from click.shell_completion import CompletionItem

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
WITH_COMMAND = {**CONTEXT, "ignore_unknown_options": False, "allow_interspersed_args": False}
"""What comes after the first word that is no option is the service's command."""


def _complete_sessions(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from belljar_tui.headless import replay as replaying

    return replaying.complete(context, parameter, incomplete)


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
@click.argument("lab", default="checkout", type=click.Choice(list(LABS)))
@session_options
@explorer_search_options
@scenario_options
def demo(lab: str, modes: tuple[Mode, ...], jobs: int, **options: Any) -> None:
    """Explore a built-in LAB: a little world in namespaces of its own.

    Needs no root, no engine and no network. Move to auth.lab and press space: the row is cut, blocked calls come in,
    and health turns red with the check's own words. Space again, and it recovers.
    """
    from belljar_tui.headless import run as running

    sys.exit(running.demo(lab, search=(modes, jobs), **options))


@cli.command(epilog=MODES_HELP, context_settings=WITH_COMMAND)
@health_options
@service_options
@container_options
@session_options
@explorer_search_options
@scenario_options
@click.argument("command", nargs=-1, metavar="[-- COMMAND...]")
def run(
    command: tuple[str, ...],
    checks: tuple[str, ...],
    health_for: int,
    health_every: float,
    health_timeout: float,
    modes: tuple[Mode, ...],
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
    When BellJar ends, however it ends, the target is as it was before.

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
@click.argument("session", required=False, metavar="[FILE|FOLDER|NAME]", shell_complete=_complete_sessions)
def replay(session: str | None) -> None:
    """Look around in a recorded session: the explorer on a journal.

    Play, step, scrub, jump to the next cut or health change: any moment is shown exactly as it was. Needs no root, no
    engine and no service. FILE is a journal, FOLDER a session's folder, NAME one of the recorded sessions; without
    one, choose from a list. The journal is never written to; notes are kept beside it.

    \b
      belljar replay
      belljar replay ~/.local/state/belljar/sessions/checkout-20260101-120000
      belljar replay outage.belljar.jsonl
    """
    from belljar_tui.headless import replay as replaying

    sys.exit(replaying.replay(session))


@cli.command()
@click.argument("profiles", nargs=-1, required=True, metavar="PROFILE...", type=click.Path())
@click.option("--strict", is_flag=True, help="Prove that each member of the working set is still needed, too.")
@click.option("--junit", type=click.Path(), metavar="FILE", help="Write the results to FILE as JUnit XML.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="Jars at once.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, for machines.")
def verify(profiles: tuple[str, ...], strict: bool, junit: str | None, jobs: int, as_json: bool) -> None:
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

    sys.exit(verifying.verify(profiles, as_json=as_json, is_strict=strict, junit=junit, jobs=jobs))


@cli.command()
@click.argument("profile", metavar="PROFILE", type=click.Path())
@click.option("--to", required=True, type=click.Choice(sorted(FORMATS)), help="The other tool's format.")
@click.option("-o", "--output", type=click.Path(), metavar="FILE", help="Write to FILE instead of stdout.")
@click.option("--resolve", is_flag=True, help="Look the members' names up now, instead of the recorded addresses.")
def export(profile: str, to: str, output: str | None, resolve: bool) -> None:
    """Say a saved PROFILE in the words of another tool.

    What a format cannot say is told in the file's first lines and on stderr; nothing is left out in silence.

    \b
      belljar export checkout.belljar.yaml --to nft -o checkout.nft
      belljar export checkout.belljar.yaml --to mermaid
    """
    from belljar_tui.headless import export as exporting

    sys.exit(exporting.export(profile, to=to, output=output, resolve=resolve))


@cli.command(short_help="Tell a recorded session as one page, HTML or Markdown.")
@click.argument("session", metavar="FILE|FOLDER|NAME", shell_complete=_complete_sessions)
@click.option("--to", type=click.Choice(["html", "md"]), help="The format (default: by the output's suffix).")
@click.option("-o", "--output", type=click.Path(), metavar="FILE", help="Write to FILE instead of stdout.")
@click.option("--profile", type=click.Path(), metavar="FILE", help="The contract the session was about.")
def report(session: str, to: str | None, output: str | None, profile: str | None) -> None:
    """Tell a recorded session as one page: claim and evidence, time line, graph, cuts, search, notes.

    FILE is a journal, FOLDER a session's folder with one, NAME one of the recorded sessions; a profile beside it there
    is the claim. The page loads nothing; the Markdown has Mermaid diagrams, for a postmortem document. Notes made in a
    replay are in it.

    \b
      belljar report checkout-20260101-120000 -o report.html
      belljar report journal.belljar.jsonl -o postmortem.md
    """
    from belljar_tui.headless import report as reporting

    sys.exit(reporting.report(session, to=to, output=output, profile=profile))


@cli.command(short_help="Say what this machine can do, and how to get what it cannot.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, for machines.")
def doctor(as_json: bool) -> None:
    """Say what this machine can do, and what to do about what it cannot."""
    from belljar_tui.headless import doctor as examining

    sys.exit(examining.doctor(as_json=as_json))


@cli.command(short_help="Say what changed from profile (or session) A to B.")
@click.argument("before", metavar="A", type=click.Path())
@click.argument("after", metavar="B", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, for machines.")
def diff(before: str, after: str, as_json: bool) -> None:
    """Say in words what changed from profile A to profile B, or from one recorded session to another.

    Sessions are journals, folders or names: what was called, cut and needed in one and not in the other.

    \b
      belljar diff <(git show main:shop.belljar.yaml) shop.belljar.yaml
      belljar diff before.belljar.jsonl after.belljar.jsonl

    Exit codes: 0 the contract is the same (the evidence may differ), or the sessions are; 1 they differ; 2 usage.
    """
    from belljar_tui.headless import diff as comparing

    sys.exit(comparing.diff(before, after, as_json=as_json))


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


@cli.command(short_help="Say in which order everything can start.")
@click.argument("paths", nargs=-1, required=True, metavar="PROFILE|FOLDER...", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout, for machines.")
@click.option("--to", type=click.Choice(sorted(ORDER_FORMATS)), help="A picture, or a runbook in Markdown.")
@click.option("--explore", is_flag=True, help="Walk through it on the screen.")
@click.option("-o", "--output", type=click.Path(), metavar="FILE", help="Write to FILE instead of stdout.")
@click.option("--baseline", type=click.Path(), metavar="FILE", help="Allow the cycles of this earlier --json.")
@click.option("--provides", multiple=True, metavar="SERVICE=ID", help="ID (or a host) is this service.")
@click.option("--root", "roots", multiple=True, metavar="ID", help="ID (or a host) is none of them.")
@click.option(
    "--cycles", default=20, show_default=True, type=click.IntRange(1, 1000), help="List up to so many a knot."
)
@click.option("--keep-going", is_flag=True, help="Order what can be read; the exit code stays 2.")
def order(paths: tuple[str, ...], **options: Any) -> None:
    """Say in which order everything can start, from a cold PROFILE for each service.

    A FOLDER stands for all *.belljar.yaml in it. A dependency is the service that its host, or the host's first label,
    is the name of; --provides and --root say otherwise.

    \b
      belljar order profiles/
      belljar order profiles/ --to runbook -o runbook.md
      belljar order profiles/ --json -o baseline.json      then, in CI:
      belljar order profiles/ --baseline baseline.json

    Exit codes: 0 everything can start, 1 there is a cycle (with --baseline: a new one), 2 usage.
    """
    from belljar_tui.headless import order as ordering

    sys.exit(ordering.order(paths, **options))


@cli.command(short_help="Turn what was done in a recorded session into a script.")
@click.argument("session", metavar="FILE|FOLDER|NAME", shell_complete=_complete_sessions)
@click.option("-o", "--output", type=click.Path(), metavar="FILE", help="Write to FILE instead of stdout.")
@click.option("--name", help="What to call the outage (default: the session's name).")
def scenario(session: str, output: str | None, name: str | None) -> None:
    """Turn what somebody did in a recorded session into a scenario: its cuts, restores and seals, and what health did.

    \b
      belljar scenario journal.belljar.jsonl -o outage.yaml
      belljar demo --scenario outage.yaml
    """
    from belljar_tui.headless import scenario as scripting

    sys.exit(scripting.scenario(session, output=output, name=name))


@cli.command(short_help="Find a hidden fault in a lab; without a NAME, list them.")
@click.argument("name", required=False, metavar="[NAME|FILE]")
@click.option("--headless", is_flag=True, help="No screen: events on stdout, commands on stdin, then the debrief.")
@click.option("--predict", is_flag=True, help="Before each cut, say what it will do; the debrief says how well.")
@click.option("--json", "as_json", is_flag=True, help="The list as one JSON object on stdout, for machines.")
@click.option("--make", "journal_of", type=click.Path(), metavar="JOURNAL", help="Make a drill from a session.")
@click.option("-o", "--output", type=click.Path(), metavar="FILE", help="With --make: write to FILE, not stdout.")
@click.option("--journal", type=click.Path(dir_okay=False), help="Where to write the journal.")
def drill(name: str | None, journal_of: str | None, output: str | None, as_json: bool, **options: Any) -> None:
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
        sys.exit(drilling.make(journal_of, output=output))
    sys.exit(drilling.listed(as_json=as_json) if name is None else drilling.play(name, **options))


@cli.command(short_help="Print the JSON Schema of profiles, or of scenarios.")
@click.argument("of", default="profile", type=click.Choice(["profile", "scenario"]))
def schema(of: str) -> None:
    """Print the JSON Schema of profiles, or of scenarios, for editors and other tools.

    \b
      belljar schema > belljar.schema.json
    """
    from belljar_tui.headless import printer
    from belljar_tui.journal.profile_schema import SCENARIO_SCHEMA_PATH, SCHEMA_PATH

    path = SCHEMA_PATH if of == "profile" else SCENARIO_SCHEMA_PATH
    printer.line(path.read_bytes().rstrip())


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
    except Exception as error:  # noqa: BLE001  # the last door: a person sees one line, the report has the rest
        diagnostics.crash(error)
