"""Every expected error, drawn once, with its exit code.

    BellJarError                      exit code
    ├── UsageError                    2   what was asked for makes no sense
    │   ├── BadDependencyId           2
    │   ├── BadCheck                  2
    │   ├── BadDuration               2
    │   ├── BadParameters             2
    │   ├── BadProfile                2   (its kin: BadKeymap, BadScenario, BadDrill)
    │   └── CannotExport              2
    ├── BadJournal                    2
    ├── NothingToSave                 1   a search that ended without a working set
    ├── JarError                      4   the jar could not be made or sealed
    │   ├── MissingTool               4
    │   ├── NoUserNamespaces          4
    │   ├── EngineError               4   Docker said no; `docker.errors` never gets further than this
    │   │   ├── NoEngine              4   none runs, or this user may not speak to it
    │   │   ├── OldEngine             4
    │   │   ├── EngineDiskFull        4
    │   │   ├── NoSuchImage           4
    │   │   ├── NoSuchNetwork         4
    │   │   └── NoSuchContainer       4
    │   ├── TargetUnfit               4   what was to be attached to cannot be, as it is now
    │   └── Unsealed                  4
    ├── AgentLost                     4   the agent ended without being asked to
    └── TrialCommandFailed            5   an outside trial command gave no verdict at all

Each says what happened (`what`), what it means or where (`why`), and what to do next (`remedy`).
Exit codes of the design that are results, not errors (0 holds, 1 broken, 3 drifted, 5 inconclusive, 130
interrupted), live in `headless.diagnostics`.
"""

from __future__ import annotations


class BellJarError(Exception):
    """An expected error: shown to a person without a traceback."""

    exit_code = 1

    def __init__(self, what: str, why: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.why, self.remedy) if part)


class UsageError(BellJarError):
    exit_code = 2


class BadDependencyId(UsageError):
    def __init__(self, text: str, why: str) -> None:
        super().__init__(
            f"{text!r} is not a dependency id: {why}.",
            remedy="Write it like tcp://orders-db:5432, udp://time.lab:123, icmp://gw, unix:/run/docker.sock or dns:",
        )


class BadCheck(UsageError):
    def __init__(self, text: str, why: str) -> None:
        super().__init__(
            f"{text!r} is not a health check: {why}.",
            remedy="Write it like http://localhost:8080/ready, tcp://localhost:5432 or exec:pg_isready",
        )


class BadDuration(UsageError):
    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not a length of time.", remedy="Write it like 30s, 500ms, 5m or 1.5h")


class BadParameters(UsageError):
    """Of a cut. `known`: the names its mode has."""

    def __init__(self, why: str, known: str) -> None:
        remedy = f"Write name=value, with {known}" if known else "This mode has none"
        super().__init__(f"{why}.", remedy=remedy)


class BadProfile(UsageError):
    """`path` and `where` (a line, or a field's path) come first, as compilers do."""

    def __init__(self, path: str, where: str, why: str, remedy: str = "") -> None:
        super().__init__(f"{path}: {where}: {why}" if where else f"{path}: {why}", remedy=remedy)
        number = where.removeprefix("line ")
        self.line = int(number) if number.isdigit() else 1
        """Where in the file; 1 when that is not known."""


class BadScenario(BadProfile):
    """Told in the same way."""


class BadDrill(BadProfile):
    """Told in the same way."""


class CannotExport(UsageError):
    pass


class BadKeymap(BadProfile):
    """Told in the same way."""


class BadJournal(UsageError):
    def __init__(self, path: str, why: str, remedy: str = "") -> None:
        super().__init__(f"{path}: {why}", remedy=remedy)


class NothingToSave(BellJarError):
    def __init__(self, what: str, detail: str) -> None:
        remedy = "See to it that the service gets healthy with everything open, and search again."
        super().__init__(what, f"The check said: {detail}" if detail else "", remedy)


class JarError(BellJarError):
    exit_code = 4


class MissingTool(JarError):
    def __init__(self, tool: str, needed_for: str, remedy: str) -> None:
        super().__init__(f"{tool} is not installed.", f"It is needed for {needed_for}.", remedy)


class NoUserNamespaces(JarError):
    pass


class Unsealed(JarError):
    pass


class EngineError(JarError):
    pass


class NoEngine(EngineError):
    pass


class OldEngine(EngineError):
    pass


class EngineDiskFull(EngineError):
    pass


class NoSuchImage(EngineError):
    pass


class NoSuchNetwork(EngineError):
    pass


class NoSuchContainer(EngineError):
    pass


class TargetUnfit(JarError):
    pass


class AgentLost(JarError):
    pass


class TrialCommandFailed(BellJarError):
    """`code` is negative for a signal."""

    exit_code = 5

    def __init__(self, command: str, number: int, code: int, said: str, log: str) -> None:
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        super().__init__(
            f"The trial command {command} {how} in trial {number}.",
            f"Its last words: {said}" if said else "It said nothing.",
            f"0 is healthy, 1 broken, 125 unknown; anything else ends the search. All it said: {log}",
        )
