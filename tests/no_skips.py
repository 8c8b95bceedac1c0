"""A pytest plugin that turns a run with a skipped or excused test red; holds no fixtures.

`make test` loads it: a proof that did not run proves nothing, whatever the reason.
"""

import pytest

EXCUSES = ("skipped", "xfailed", "xpassed")


def _excused(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return sum(len(reporter.stats.get(excuse, ())) for excuse in EXCUSES) if reporter else 0


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run that would otherwise have passed."""
    if session.exitstatus == pytest.ExitCode.OK and _excused(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say why the run failed, since every test that ran may be green."""
    if excused := _excused(config):
        terminalreporter.write_line(
            f"{excused} test(s) skipped or excused: every test must run.", red=True
        )
