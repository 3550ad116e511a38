"""Shared set-up of the tests."""

from __future__ import annotations

import os
import signal

import pytest
from at_home import at_home
from hypothesis import settings

__all__ = ["at_home"]

settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

NO_SKIPS = os.environ.get("ONNXCONV_TESTS_NO_SKIPS") == "1"
"""Set by the continuous integration: there a skipped test is a failure, except for want of a GPU or of an extra."""

EXTRAS = os.environ.get("ONNXCONV_TESTS_EXTRAS", "").split()
"""Extras that are installed there: their tests may not be skipped either."""


def pytest_configure() -> None:
    """Started in the background or by nohup, a process ignores signals, and so would those that the tests start."""
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGTERM, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> object:
    outcome = yield
    report = outcome.get_result()
    extra = item.get_closest_marker("extra")
    missable = item.get_closest_marker("cuda") or (extra and extra.args[0] not in EXTRAS)
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail") and not missable:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped where nothing may be missing: {report.longrepr}"
