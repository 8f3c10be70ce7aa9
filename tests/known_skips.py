"""Where CI runs the tests, each skip has to be known: what was not proved must not look as if it were."""

from collections.abc import Mapping
from typing import Final

import pytest

KNOWN: Final[Mapping[str, str]] = {
    "tests/test_completion_scripts.py::test_powershell_completes_a_line": "PowerShell is not here",
    "tests/test_rows_inbox.py::test_a_file_without_the_right_to_read_it_is_refused": "root may read",
}
"""The beginning of a test's id, and words of the reason why it may be skipped."""

DENIED: Final = (
    *("nothing may be mounted here", "no tmpfs may be mounted here"),
    *("nothing may be traced here", "strace may not trace here"),
    *("another user may not start this Python", "this clone has no history"),
)
"""Words of reasons that no installing can mend: what the machine lets nobody do, or how it was given the
project. They hold for any test.
"""


class SkipGate:
    """Ends a session red that has skipped a test which is not among the known ones, and names it.

    With pytest-xdist it stands where all reports arrive, not in the workers.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        self._known = known
        self._unknown: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not hasattr(report, "wasxfail"):
            self._look(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A whole file may be skipped before any test of it is known."""
        self._look(report)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._unknown and session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for test, reason in sorted(self._unknown.items()):
            terminalreporter.write_line(
                f"CI must run {test}, which was skipped: {reason}. Have .ci/run install what it wants, "
                "or name it with its reason in tests/known_skips.py.",
                red=True,
            )

    def _look(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if not report.skipped:
            return
        said = report.longrepr
        reason = str(said[2] if isinstance(said, tuple | list) else said).removeprefix("Skipped: ")
        known = any(report.nodeid.startswith(test) and why in reason for test, why in self._known.items())
        if not known and not reason.startswith(DENIED):
            self._unknown[report.nodeid] = reason
