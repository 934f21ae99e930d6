"""Commands that read files: sessions, profiles, scenarios. The command line adds them to its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from belljar_tui.export import FORMATS
from belljar_tui.export.order import ORDER_FORMATS

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


def _complete_sessions(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from belljar_tui.headless import replay as replaying

    return replaying.complete(context, parameter, incomplete)


@click.command()
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


@click.command()
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


@click.command(short_help="Tell a recorded session as one page, HTML or Markdown.")
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


@click.command(short_help="Say what changed from profile (or session) A to B.")
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


@click.command(short_help="Say in which order everything can start.")
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


@click.command(short_help="Turn what was done in a recorded session into a script.")
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


@click.command(short_help="Print the JSON Schema of profiles, scenarios or drills.")
@click.argument("of", default="profile", type=click.Choice(["profile", "scenario", "drill"]))
def schema(of: str) -> None:
    """Print the JSON Schema of profiles, scenarios or drills, for editors and other tools.

    \b
      belljar schema > belljar.schema.json
      belljar schema drill > drill.schema.json
    """
    from belljar_tui.headless import printer
    from belljar_tui.journal.profile_schema import DRILL_SCHEMA_PATH, SCENARIO_SCHEMA_PATH, SCHEMA_PATH

    paths = {"profile": SCHEMA_PATH, "scenario": SCENARIO_SCHEMA_PATH, "drill": DRILL_SCHEMA_PATH}
    printer.line(paths[of].read_bytes().rstrip())


FILE_COMMANDS = (replay, report, scenario, diff, export, order, schema)
