"""Who loads what, read from `sys.modules` of a fresh interpreter: the contracts of import-linter, at run time."""

from __future__ import annotations

import subprocess
import sys

import pytest

RUN = """
import sys
sys.argv = {argv!r}
try:
    from belljar_tui.headless.cli import main
    main()
except SystemExit:
    pass
"""
TELL = "print('\\n' + ' '.join(sorted({m.partition('.')[0] for m in sys.modules})))"


def loaded_by(program: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", program + TELL], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["verify", "--help"],
        ["run", "--help"],
        ["demo", "--help"],
        ["doctor", "--help"],
        ["schema", "--help"],
        ["export", "--help"],
        ["order", "--help"],
        ["report", "--help"],
        ["replay", "--help"],
    ],
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    loaded = loaded_by(RUN.format(argv=["belljar", *arguments]))
    assert not loaded & {"textual", "pyroute2", "networkx", "docker", "yaml", "dns", "jinja2"}


def test_a_container_is_begun_before_anything_heavy_is_loaded() -> None:
    program = "import sys\nimport belljar_tui.headless.cli, belljar_tui.headless.run, belljar_tui.jars.early\n"
    assert not loaded_by(program) & {"docker", "requests", "asyncio", "rich", "textual", "yaml"}


def test_a_jar_is_closed_before_anything_heavy_is_loaded() -> None:
    loaded = loaded_by("import sys\nimport belljar_tui.agent.jar\n")
    assert not loaded & {"asyncio", "msgspec", "typing", "psutil", "pyroute2", "dns"}


def test_a_plain_session_loads_nothing_to_write_tables_with() -> None:
    assert not loaded_by("import sys\nimport belljar_tui.headless.seeing\n") & {"rich", "textual", "yaml"}


def test_verifying_never_loads_the_explorer() -> None:
    program = "import sys\nimport belljar_tui.headless.verify, belljar_tui.headless.stream, belljar_tui.headless.run\n"
    assert not loaded_by(program) & {"textual", "pyroute2"}


def test_the_agent_knows_no_interface() -> None:
    loaded = loaded_by("import sys\nimport belljar_tui.agent.main\n")
    assert not loaded & {"textual", "rich", "click", "docker", "yaml", "networkx"}


def test_the_explorer_knows_no_kernel() -> None:
    loaded = loaded_by("import sys\nimport belljar_tui.tui.app\n")
    assert not loaded & {"pyroute2", "docker"}
    program = (
        "import sys\nimport belljar_tui.tui.app\nassert not [m for m in sys.modules if 'belljar_tui.agent' in m]\n"
    )
    assert loaded_by(program)


def test_the_core_is_the_standard_library_and_msgspec() -> None:
    loaded = loaded_by("import sys\nimport belljar_tui.core.state, belljar_tui.core.layout, belljar_tui.core.profile\n")
    assert not loaded & {"textual", "rich", "click", "yaml", "dns", "psutil", "pyroute2", "docker"}
