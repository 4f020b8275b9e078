"""Shared and masked planes give the answer that plain ones give, in the core and the reference."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest

from pocketlens.base.errors import EngineError
from pocketlens.engine.core import CoreEngine, targets
from pocketlens.engine.plan import build_plan
from pocketlens.engine.reference.tensors import tensor_values
from pocketlens.lensfile.contents import LensContents
from shared_samples import masked, sharing, small_weights, with_tensors


def scores(contents: LensContents, target: str | None = None) -> bytes:
    photo = np.array([random.Random(7).random() for _ in range(108)], np.float32)
    return CoreEngine(contents, target=target).scores(photo.tobytes(), 1)


@pytest.mark.parametrize("target", targets())
@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("head_first", [False, True])
def test_shared_planes_give_the_same_scores(target: str, bits: int, head_first: bool) -> None:
    plain, stem, stem_indices, head, head_indices = small_weights(stem_size=4)
    pairs = [(stem, stem_indices), (head, head_indices)]
    order = pairs[::-1] if head_first else pairs
    shared = sharing(order, bits=bits, width=29, band_rows=2)
    stem, head = shared[::-1] if head_first else shared
    together = with_tensors(plain, stem=stem, head=head)
    assert len(build_plan(together).planes) == 1
    assert scores(together, target) == scores(plain, target)
    for one, other in zip(together.tensors, plain.tensors, strict=True):
        assert np.array_equal(tensor_values(one), tensor_values(other))


@pytest.mark.parametrize("target", targets())
@pytest.mark.parametrize(("size", "bits"), [(5, 2), (5, 4), (17, 4), (256, 8)])
@pytest.mark.parametrize("common", [0, 2, -1])
def test_masked_planes_give_the_same_scores(target: str, size: int, bits: int, common: int) -> None:
    plain, stem, indices, _, _ = small_weights(stem_size=size)
    common = common % size
    indices[:3] = [common, (common + 1) % size, common]
    stem = dataclasses.replace(
        stem, plane=sharing([(stem, indices)], bits=8, width=9, band_rows=4)[0].plane
    )
    plain = with_tensors(plain, stem=stem)
    behind = with_tensors(plain, stem=masked(stem, indices, common=common, bits=bits))
    assert len(build_plan(behind).planes) == len(build_plan(plain).planes) + 1
    assert scores(behind, target) == scores(plain, target)
    for one, other in zip(behind.tensors, plain.tensors, strict=True):
        assert np.array_equal(tensor_values(one), tensor_values(other))


def test_a_mask_may_stand_for_nothing() -> None:
    plain, stem, indices, _, _ = small_weights()
    indices = [index if index != 4 else 0 for index in indices]
    stem = dataclasses.replace(
        stem, plane=sharing([(stem, indices)], bits=8, width=9, band_rows=4)[0].plane
    )
    behind = with_tensors(plain, stem=masked(stem, indices, common=4, bits=2))
    assert scores(behind) == scores(with_tensors(plain, stem=stem))


def test_memory_keeps_the_smallest_container_whatever_the_plane() -> None:
    plain, stem, stem_indices, head, head_indices = small_weights(stem_size=4, head_size=2)
    narrow = sharing([(stem, stem_indices), (head, head_indices)], bits=2, width=29, band_rows=2)
    together = with_tensors(plain, stem=narrow[0], head=narrow[1])
    assert CoreEngine(together).memory() == CoreEngine(plain).memory()


def test_planes_that_do_not_fit_are_refused_with_a_name() -> None:
    plain, stem, stem_indices, head, head_indices = small_weights(stem_size=4)
    one, two = sharing([(stem, stem_indices), (head, head_indices)], bits=4, width=29, band_rows=2)
    gap = dataclasses.replace(two, first_pixel=two.first_pixel + 1)
    behind = masked(stem, stem_indices, common=2, bits=4)
    fewer = masked(stem, [2 if i < 80 else x for i, x in enumerate(stem_indices)], common=2, bits=4)
    for contents, slug, name in [
        (with_tensors(plain, stem=one, head=gap), "plan-tensor", head.name),
        (with_tensors(plain, head=two), "plan-tensor", head.name),
        (with_tensors(plain, stem=one), "plan-tensor", stem.name),
        (
            with_tensors(plain, stem=dataclasses.replace(behind, mask=fewer.mask)),
            "plane-mask",
            stem.name,
        ),
        (
            with_tensors(plain, stem=dataclasses.replace(behind, common=4)),
            "plan-palette",
            stem.name,
        ),
        (
            with_tensors(plain, stem=dataclasses.replace(behind, first_pixel=1)),
            "plan-tensor",
            stem.name,
        ),
    ]:
        with pytest.raises(EngineError) as error:
            CoreEngine(contents)
        assert error.value.slug == slug
        assert f"'{name}'" in error.value.sentence
