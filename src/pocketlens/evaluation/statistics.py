"""How sure a missing rate is, and the difference of two on the same photos.

All rates are in percent and all differences in percentage points. 95% throughout.

Wilson 1927, "Probable inference, the law of succession, and statistical inference", JASA 22;
Tango 1998, "Equivalence test and confidence interval for the difference in proportions for the
paired-sample design", Statistics in Medicine 17, 891-908;
McNemar 1947, "Note on the sampling error of the difference between correlated proportions",
Psychometrika 12, in its exact (binomial) form.
"""

from __future__ import annotations

import math

Z95 = 1.959963984540054
"""The standard normal's 97.5% quantile."""


def missing_rate(wrong: int, n: int) -> float:
    """Percent of `n` photos that were answered wrongly."""
    _check(wrong, 0, n)
    return 100.0 * wrong / n


def wilson_interval(wrong: int, n: int) -> tuple[float, float]:
    """Wilson's score interval (low, high) of a missing rate, in percent.

    Right for rates near 0 and 100 too, where the usual +- is not.
    """
    _check(wrong, 0, n)
    rate, square = wrong / n, Z95 * Z95
    middle = rate + square / (2 * n)
    spread = Z95 * math.sqrt(rate * (1 - rate) / n + square / (4 * n * n))
    low, high = (middle - spread) / (1 + square / n), (middle + spread) / (1 + square / n)
    # At the ends one bound is the rate itself; rounding must not move it past.
    return 100 * min(max(low, 0.0), rate), 100 * max(min(high, 1.0), rate)


def paired_difference(lost: int, won: int, n: int) -> float:
    """Missing rate of one classifier minus that of another on the same photos, in points.

    lost  photos that only the other answers rightly
    won   photos that only this one answers rightly
    n     all photos
    """
    _check(lost, won, n)
    return 100.0 * (lost - won) / n


def paired_interval(lost: int, won: int, n: int) -> tuple[float, float]:
    """Tango's score interval (low, high) of `paired_difference`, in points.

    All differences d that the score test does not reject: |T(d)| <= z (Tango 1998, equation 6).
    It keeps its 95% for few discordant photos, and is not a point where there are none, as the
    usual interval is.
    """
    _check(lost, won, n)
    # T of the swapped counts at -d is -T(d): one bound serves for both, and exactly mirrored.
    return -_upper_bound(won, lost, n), _upper_bound(lost, won, n)


def mcnemar_p(lost: int, won: int) -> float:
    """Exact two-sided p-value of "both classifiers are equally good" (McNemar's test).

    The probability that a fair coin thrown lost + won times lands as unevenly or more so.
    """
    _check(lost, won, max(lost + won, 1))
    throws, fewer = lost + won, min(lost, won)
    term = total = 1  # binomial coefficients as whole numbers: exact for any count
    for heads in range(1, fewer + 1):
        term = term * (throws - heads + 1) // heads
        total += term
    return min(1.0, 2 * total / (1 << throws))


def _upper_bound(lost: int, won: int, n: int) -> float:
    """The largest difference that Tango's test does not reject, in points, by bisection."""
    low, high = (lost - won) / n, 1.0
    while True:
        middle = (low + high) / 2
        if not low < middle < high:
            return 100.0 * high
        if _score(middle, lost, won, n) >= -Z95:
            low = middle
        else:
            high = middle


def _score(d: float, lost: int, won: int, n: int) -> float:
    """Tango's T(d): falls as d grows from the estimate (lost - won) / n to 1."""
    # q: the probability of "won" that is likeliest if the difference is d. It solves
    # a q^2 + b q + c = 0 (Tango 1998, section 3).
    a = 2.0 * n
    b = (2 * n - lost + won) * d - lost - won
    c = -won * d * (1 - d)
    root = math.sqrt(max(b * b - 4 * a * c, 0.0))
    # The form without cancellation: for b > 0, root - b would lose all digits.
    q = -2 * c / (root + b) if b > 0 else (root - b) / (2 * a)
    variance = n * (2 * q + d * (1 - d))
    distance = lost - won - n * d
    if variance > 0:
        return distance / math.sqrt(variance)
    return -math.inf if distance < 0 else 0.0


def _check(first: int, second: int, n: int) -> None:
    if n < 1 or first < 0 or second < 0 or first + second > n:
        raise ValueError(f"counts {first} and {second} of {n} photos cannot be")
