"""Variants of photos: mirrored, moved, drawn once; the float answers go with them."""

from __future__ import annotations

import numpy as np

from pocketlens.tuning.pictures import VARIANTS, FloatAnswers, Pictures, varied
from tuning.conftest import Coded


def test_a_variant_is_the_picture_mirrored_or_moved() -> None:
    picture = np.arange(2 * 5 * 6, dtype=np.float32).reshape(1, 2, 5, 6)
    padded = np.pad(picture, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    moved = [padded[:, :, y : y + 5, x : x + 6] for y in range(3) for x in range(3)]
    flipped = np.pad(picture[..., ::-1], ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    moved += [flipped[:, :, y : y + 5, x : x + 6] for y in range(3) for x in range(3)]
    seen = set()
    for seed in range(200):
        found = varied(picture, np.random.default_rng(seed), shift=1)
        (which,) = (i for i, other in enumerate(moved) if np.array_equal(found, other))
        seen.add(which)
    assert len(seen) == 18


def test_every_pass_has_every_photo_and_its_own_answer(coded: Coded) -> None:
    answers = FloatAnswers(coded.network)
    pictures = Pictures(coded.fit, answers, shift=2, seed=4)
    orders = []
    for number in range(2):
        batches = list(pictures.batches(number, 10))
        assert [len(batch[0]) for batch in batches] == [10, 10, 10, 10, 8]
        told = np.concatenate([batch[1] for batch in batches])
        shown = np.concatenate([batch[0] for batch in batches])
        for picture, answer in zip(shown, told, strict=True):
            np.testing.assert_array_equal(answers.to(picture[None]), answer)
        np.testing.assert_allclose(np.exp(told).sum(1), 1, rtol=1e-5)
        orders.append(shown.sum((1, 2, 3)))
    assert not np.array_equal(orders[0], orders[1])
    answers.close()


def test_variants_come_again_after_some_passes(coded: Coded) -> None:
    answers = FloatAnswers(coded.network)
    pictures = Pictures(coded.fit, answers, shift=2, seed=4)

    def shown(number: int) -> set[bytes]:
        return {p.tobytes() for batch, _ in pictures.batches(number, 16) for p in batch}

    assert shown(0) == shown(VARIANTS)
    assert shown(0) != shown(1)
    answers.close()
