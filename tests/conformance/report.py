"""Prints how many of ONNX's node cases ran and passed, by operator and engine.

python -m tests.conformance.report
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np

from pocketlens.importers.onnx.reader import lower_model

from .cases import Case, load_cases
from .engines import ENGINES, Engine, float_contents


def failure(case: Case, engine: Engine) -> str:
    """Why a case fails on an engine; "" where it passes."""
    try:
        network = lower_model(case.model)
        inputs = [case.inputs[name] for name in network.graph.inputs]
        actual = engine.run(float_contents(network), inputs)[0]
        np.testing.assert_allclose(actual, case.expected, rtol=case.rtol, atol=case.atol)
    except AssertionError as error:
        return " ".join(str(error).split())[:200]
    except Exception as error:  # a crash is a failure like any other, and the table goes on
        return f"{type(error).__name__}: {error}"[:300]
    return ""


def main() -> int:
    """Run everything, print the table, return 1 if a case failed."""
    cases = load_cases()
    runnable = [case for case in cases if not case.out]
    ran = Counter(case.operator for case in runnable)
    passed: Counter[tuple[str, str]] = Counter()
    failures: list[str] = []
    for engine in ENGINES:
        for case in runnable:
            why = failure(case, engine)
            passed[engine.name, case.operator] += not why
            if why:
                failures.append(f"{engine.name}: {case.name}: {why}")
    names = [engine.name for engine in ENGINES]
    print(f"{'operator':<30}{'ran':>6}" + "".join(f"{name:>16}" for name in names))
    for operator in sorted(ran):
        marks = "".join(f"{passed[name, operator]:>16}" for name in names)
        print(f"{operator:<30}{ran[operator]:>6}{marks}")
    totals = [sum(passed[name, operator] for operator in ran) for name in names]
    print(f"{'together':<30}{len(runnable):>6}" + "".join(f"{total:>16}" for total in totals))
    print("\nout of scope, by reason:")
    for reason, count in Counter(case.out for case in cases if case.out).most_common():
        print(f"{count:>6}  {reason}")
    print(*failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
