"""How far a compressed network's answers are from the float network's, without any labels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pocketlens.base.errors import UsageError

Floats = NDArray[np.float64]
Scores = NDArray[np.float32]

_Z95 = 1.959963984540054
_LEAST = 1e-30  # a probability of 0 in half or single precision is not a promise of "never"


@dataclass(frozen=True)
class Divergence:
    """How two networks answer the same photos.

    photos               that both answered
    kl                   mean KL(first || second), nats a photo
    kl_interval          95%, normal approximation over photos; the point itself with one photo
    agreement            percent of photos with the same first answer
    agreement_interval   95%, Wilson 1927
    """

    photos: int
    kl: float
    kl_interval: tuple[float, float]
    agreement: float
    agreement_interval: tuple[float, float]


def divergence(first: Scores, second: Scores, *, probabilities: bool) -> Divergence:
    """Compare two matrices of class scores, (photos, classes) each.

    first          the float network's
    probabilities  whether the networks end in a softmax; else the scores are logits
    Ties for the first answer go to the lower class number.
    Raises UsageError 'scores-differ' where the matrices are not of one shape, with a photo or
    more.
    """
    each = kl_each(first, second, probabilities=probabilities)
    photos = len(each)
    mean = float(each.mean())
    half = _Z95 * float(each.std(ddof=1)) / math.sqrt(photos) if photos > 1 else 0.0
    same = int((first.argmax(axis=1) == second.argmax(axis=1)).sum())
    return Divergence(
        photos,
        mean,
        (max(mean - half, 0.0), mean + half),
        100.0 * same / photos,
        _wilson(same, photos),
    )


def kl_each(first: Scores, second: Scores, *, probabilities: bool) -> Floats:
    """KL(first || second) in nats for every photo: (photos,) float64. See divergence()."""
    if first.shape != second.shape or first.ndim != 2 or not first.size:
        raise UsageError(
            f"Scores of shapes {first.shape} and {second.shape} cannot be compared; "
            "both have to be (photos, classes), with the same photos in the same order.",
            slug="scores-differ",
        )
    p, q = (log_probabilities(x, probabilities=probabilities) for x in (first, second))
    # Rounding may bring equal rows a hair below 0.
    each: Floats = np.maximum((np.exp(p) * (p - q)).sum(axis=1), 0.0)
    return each


def log_probabilities(scores: Scores, *, probabilities: bool) -> Floats:
    """Logarithms of what a network gives each class, (photos, classes) float64, normalised."""
    exact = scores.astype(np.float64)
    if probabilities:
        exact = np.log(np.maximum(exact, _LEAST))
    shifted: Floats = exact - exact.max(axis=1, keepdims=True)
    normalised: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return normalised


def _wilson(hits: int, n: int) -> tuple[float, float]:
    """Wilson's score interval of a share, in percent."""
    rate, square = hits / n, _Z95 * _Z95
    middle = rate + square / (2 * n)
    spread = _Z95 * math.sqrt(rate * (1 - rate) / n + square / (4 * n * n))
    low, high = (middle - spread) / (1 + square / n), (middle + spread) / (1 + square / n)
    return 100 * min(max(low, 0.0), rate), 100 * max(min(high, 1.0), rate)
