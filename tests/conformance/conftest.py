"""Says at the end of a test run how many of ONNX's cases ran and passed on each engine."""

from __future__ import annotations

import re
from collections import Counter

import pytest

_CASE = re.compile(r"test_conformance\.py::test_case\[.+-((?:reference|core-)\w*)\]$")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    ran: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            found = _CASE.search(report.nodeid)
            if found:
                ran[found[1]] += 1
                passed[found[1]] += outcome == "passed"
    if ran:
        shares = ", ".join(f"{name} {passed[name]} of {ran[name]}" for name in sorted(ran))
        terminalreporter.write_line(f"ONNX's node cases passed: {shares}")
