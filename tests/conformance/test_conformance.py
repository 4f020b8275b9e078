"""Every ONNX node case in scope gives ONNX's own answer, on every engine."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx")

from pocketlens.importers.onnx.lowering import TABLE
from pocketlens.importers.onnx.reader import lower_model

from .cases import Case, load_cases
from .engines import ENGINES, Engine, float_contents
from .scope import FOLDED, OPERATORS

RUNNABLE = [case for case in load_cases() if not case.out]


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
@pytest.mark.parametrize("case", RUNNABLE, ids=lambda case: case.name)
def test_case(case: Case, engine: Engine) -> None:
    network = lower_model(case.model)
    inputs = [case.inputs[name] for name in network.graph.inputs]
    actual = engine.run(float_contents(network), inputs)[0]
    assert actual.shape == case.expected.shape
    np.testing.assert_allclose(actual, case.expected, rtol=case.rtol, atol=case.atol)


def test_hundreds_of_cases_run_and_every_operator_has_one() -> None:
    assert len(RUNNABLE) >= 300  # 507 with onnx 1.23; earlier ones have fewer
    assert OPERATORS - {case.operator for case in RUNNABLE} == set()


def test_every_operator_of_the_importer_is_in_scope() -> None:
    assert set(TABLE) - OPERATORS - FOLDED == set()
