"""Threads of Python share a lens, close it under each other's hands, and hand in what does not fit.

The core lets go of Python's lock while it runs, so nothing here is safe by itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from lens_samples import small_lens
from pocketlens.base.errors import EngineError
from pocketlens.classify.lens import Lens

SIDE = 40


def lens() -> Lens:
    return Lens(small_lens(side=SIDE, middle=40))


def pictures(seed: int, count: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (count, 3, SIDE, SIDE)).astype(np.float32)


def together(*work: Callable[[], None]) -> list[BaseException]:
    """Run all of it at the same time; what went wrong."""
    wrong: list[BaseException] = []
    start = threading.Barrier(len(work))

    def guarded(one: Callable[[], None]) -> None:
        try:
            start.wait()
            one()
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=guarded, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return wrong


def test_threads_that_share_a_lens_get_their_own_answers() -> None:
    with lens() as shared:
        inputs = [pictures(seed) for seed in range(4)]
        expected = [shared.scores(x) for x in inputs]
        got: list[list[np.ndarray]] = [[] for _ in inputs]

        def runs(number: int) -> Callable[[], None]:
            return lambda: got[number].extend(shared.scores(inputs[number]) for _ in range(25))

        assert together(*(runs(number) for number in range(len(inputs)))) == []
    for number, rows in enumerate(got):
        assert len(rows) == 25
        assert all(np.array_equal(row, expected[number]) for row in rows)


def test_a_lens_closed_while_running_ends_the_run_and_refuses_the_next() -> None:
    shared = lens()
    x = pictures(1)
    expected = shared.scores(x)
    running = threading.Event()
    seen: list[np.ndarray] = []

    def run_on() -> None:
        while True:
            seen.append(shared.scores(x))
            running.set()

    def close() -> None:
        running.wait(60)
        shared.close()

    (error,) = together(run_on, close)
    assert isinstance(error, EngineError) and error.slug == "engine-closed"
    assert all(np.array_equal(row, expected) for row in seen)
    with pytest.raises(EngineError) as after:
        shared.memory()
    assert after.value.slug == "engine-closed"


def test_two_threads_may_close_the_same_lens() -> None:
    for _ in range(50):
        shared = lens()
        assert together(shared.close, shared.close) == []
        with pytest.raises(EngineError) as error:
            shared.run(pictures(0, 1).tobytes(), batch=1)
        assert error.value.slug == "engine-closed"


def test_threads_slide_over_photos_of_many_sizes() -> None:
    photos = [Image.effect_noise((SIDE + 8 * i, SIDE + 5), 90).convert("RGB") for i in range(4)]
    with lens() as shared:
        expected = [shared.confidences(photo, crops="slide") for photo in photos]
        got: list[list[list[float]]] = [[] for _ in photos]

        def slides(number: int) -> Callable[[], None]:
            return lambda: got[number].extend(
                shared.confidences(photos[number], crops="slide") for _ in range(5)
            )

        assert together(*(slides(number) for number in range(len(photos)))) == []
    assert got == [[row] * 5 for row in expected]


def test_a_lens_closed_while_sliding_refuses_the_next_photo() -> None:
    shared = lens()
    photo = Image.effect_noise((SIDE + 9, SIDE + 5), 90).convert("RGB")
    expected = shared.confidences(photo, crops="slide")
    running = threading.Event()

    def slide_on() -> None:
        while True:
            assert shared.confidences(photo, crops="slide") == expected
            running.set()

    def close() -> None:
        running.wait(60)
        shared.close()

    (error,) = together(slide_on, close)
    assert isinstance(error, EngineError) and error.slug == "engine-closed"


@pytest.mark.parametrize(
    "wrong",
    [
        pictures(0)[:, :2],
        pictures(0)[:0],
        pictures(0)[0, 0],
        pictures(0)[None],
        np.zeros((3, SIDE, SIDE + 1), np.float32),
        np.zeros(()),
        np.array(["cat"]),
        [[1.0], [1.0, 2.0]],
        "a photo",
        None,
    ],
)
def test_pictures_of_the_wrong_shape_are_told(wrong: object) -> None:
    with lens() as opened, pytest.raises(EngineError) as error:
        opened.scores(wrong)  # type: ignore[arg-type]
    assert error.value.slug == "wrong-input"
    assert f"(3, {SIDE}, {SIDE})" in error.value.sentence


@pytest.mark.parametrize(("size", "batch"), [(0, 0), (0, 2), (1, 1), (-4, 1), (0, -1), (4, 2)])
def test_bytes_that_do_not_fit_are_told(size: int, batch: int) -> None:
    whole = pictures(0, 1).nbytes
    with lens() as opened, pytest.raises(EngineError) as error:
        opened.run(bytes(whole + size), batch=batch)
    assert error.value.slug == "wrong-input"
