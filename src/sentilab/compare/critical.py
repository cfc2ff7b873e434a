"""Critical values where one part of the variance is estimated from few seeds, and one is known.

A difference over S seeds and n texts has variance U + c: U falls with more seeds and is estimated
with S - 1 degrees of freedom; c is the texts' part and, with hundreds of texts or more, as good as
known. t = difference / sqrt(U + c) is normal where c is all there is, and Student's with S - 1
degrees of freedom where U is. Between the two no quantile of either is right, since the share
r = U / (U + c) that one sees is itself a matter of chance: this is the problem of Behrens and
Fisher, and of Welch, with one of the two variances known.

Welch's and Satterthwaite's answer, Student's t with (S - 1) / r^2 degrees of freedom, raises false
alarms in up to 7.9% of cases at 3 seeds and a level of 5%; the Behrens-Fisher distribution in as
few as 2.4%. So the critical value is solved for here: the function of r, rising from the normal
quantile to Student's, whose error rate is as near the level as can be at every true share at once.
That is Welch's own question (1947), answered by least squares in place of his series (Aspin 1948),
which is of no use at two degrees of freedom.

At 95% the error rate then lies between 4.9% and 5.1% at 3 seeds and within 0.02% of 5% at 5 seeds
or more; at 2 seeds, between 4.1% and 6.3%.
"""

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# Levels for which a curve is solved; between them the curves are interpolated, beyond them kept.
LEVELS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.003, 0.001, 0.0001)

# Knots are even in sqrt(r): at small levels the curve turns near r = 0.
KNOTS = np.linspace(0, 1, 17)

# How much a bend of the curve weighs against an error of the level relative to it. It decides
# between curves that err alike, and keeps the curve from jumping.
SMOOTHNESS = 0.3

# No p-value is told below this: soon after, SciPy's quantiles of Student's t are infinite.
TINY = 1e-100

Floats = NDArray[np.float64]


def critical_value(share: float, freedom: int, alpha: float) -> float:
    """The value that abs(t) exceeds by chance with probability ``alpha``.

    ``share`` is U / (U + c) as estimated, from 0 to 1; ``freedom`` is U's degrees of freedom.
    """
    return float(_critical(np.asarray(share), freedom, alpha))


def p_value(t: float, share: float, freedom: int) -> float:
    """The level at which ``critical_value`` is abs(t): two-sided."""
    from scipy.optimize import brentq
    from scipy.special import ndtr, stdtr

    t = abs(t)
    lowest, highest = 2 * float(ndtr(-t)), 2 * float(stdtr(freedom, -t))
    lowest = max(lowest, TINY)
    if not lowest < highest:
        return highest

    def excess(logarithm: float) -> float:
        return critical_value(share, freedom, math.exp(logarithm)) - t

    low, high = math.log(lowest), math.log(highest)
    if excess(low) <= 0:
        return lowest
    return highest if excess(high) >= 0 else math.exp(brentq(excess, low, high, xtol=1e-6))


def equivalent_freedom(critical: float, alpha: float) -> float:
    """Degrees of freedom at which Student's t has this critical value; infinity for the normal's."""
    from scipy.optimize import brentq
    from scipy.special import ndtri, stdtrit

    def excess(inverse: float) -> float:
        return float(-stdtrit(1 / inverse, alpha / 2)) - critical

    if critical <= -ndtri(alpha / 2) or excess(1e-6) >= 0:
        return math.inf
    return round(1 / float(brentq(excess, 1e-6, 2.0)), 6)


def chance_of_exceeding(freedom: int, alpha: float, shares: Floats, shift: float = 0.0) -> Floats:
    """The chance that abs(t) exceeds its critical value, at true shares of shape (shares,).

    ``shift`` is the true difference in true standard errors; without one the chance is the error
    rate, and with one the power. Exact up to quadrature for a normal difference; the curves of
    ``LEVELS`` are solved for by the same sum.
    """
    from scipy.special import ndtr

    estimated, scale, weights = _chances(freedom, shares)
    limit = _critical(estimated, freedom, alpha) * scale
    return np.asarray((ndtr(shift - limit) + ndtr(-shift - limit)) @ weights)


def _critical(share: Floats, freedom: int, alpha: float) -> Floats:
    normal, student = _ends(freedom, alpha)
    return normal + _rise(share, freedom, alpha) * (student - normal)


def _ends(freedom: int, alpha: float) -> tuple[float, float]:
    """The normal's and Student's two-sided critical values."""
    from scipy.special import ndtri, stdtrit

    return -float(ndtri(alpha / 2)), -float(stdtrit(freedom, alpha / 2))


def _rise(share: Floats, freedom: int, alpha: float) -> Floats:
    """How far the critical value has risen from the normal's (0) to Student's (1)."""
    at = int(np.searchsorted(-np.asarray(LEVELS), -alpha))
    if at < len(LEVELS) and LEVELS[at] == alpha:
        return _on(share, freedom, alpha)
    if at == 0 or at == len(LEVELS):
        return _on(share, freedom, LEVELS[min(at, len(LEVELS) - 1)])
    above, below = LEVELS[at - 1], LEVELS[at]
    part = math.log(above / alpha) / math.log(above / below)
    return (1 - part) * _on(share, freedom, above) + part * _on(share, freedom, below)


def _on(share: Floats, freedom: int, level: float) -> Floats:
    return np.asarray(np.interp(np.sqrt(share), KNOTS, _curve(freedom, level)))


@lru_cache(maxsize=512)
def _curve(freedom: int, level: float) -> Floats:
    """The rise at each of KNOTS, from 0 to 1, never falling."""
    solved = _solved(freedom, level)
    if level >= 0.05:
        return solved
    # At two seeds and small levels no curve comes near the level, and the best of a bad lot differ
    # wildly from level to level. p-values need critical values that rise as the level falls: no
    # curve below 5% runs below that of the level before. What that costs is on the safe side.
    return np.maximum(solved, _curve(freedom, LEVELS[LEVELS.index(level) - 1]))


@lru_cache(maxsize=512)
def _solved(freedom: int, alpha: float) -> Floats:
    """The curve whose error rates come nearest to ``alpha``.

    Gauss-Newton steps on the relative errors of the level over a grid of true shares; each is a
    least-squares problem in the curve's increments, which must not be negative.
    """
    from scipy.optimize import nnls
    from scipy.special import ndtr

    shares = (1 - np.cos(np.linspace(0, np.pi, 31))) / 2
    estimated, scale, weights = _chances(freedom, shares)
    normal, student = _ends(freedom, alpha)
    position = np.sqrt(estimated) * (len(KNOTS) - 1)
    # reached[..., j]: how much of the curve's increment j lies below the estimated share.
    reached = np.clip(position[..., None] - np.arange(len(KNOTS) - 1), 0, 1)
    increments = np.full(len(KNOTS) - 1, 1 / (len(KNOTS) - 1))
    bends = SMOOTHNESS * np.diff(np.eye(len(increments)), axis=0)
    whole = np.full((1, len(increments)), 100.0)  # the increments' sum is 1, as good as exactly
    for _ in range(12):
        z = (normal + (reached @ increments) * (student - normal)) * scale
        density = 2 * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * scale * weights
        slopes = np.einsum("sq,sqj->sj", density, reached) * (student - normal)
        error = alpha - 2 * ndtr(-z) @ weights
        system = np.concatenate([slopes / alpha, bends, whole])
        target = np.concatenate(
            [(slopes @ increments - error) / alpha, np.zeros(len(bends)), [100.0]]
        )
        found = nnls(system, target)[0]
        settled = np.abs(found - increments).max() < 1e-4
        increments = found
        if settled:
            break
    rise = np.cumsum(increments) / increments.sum()
    return np.asarray(np.minimum(np.concatenate([[0.0], rise]), 1.0))


def _chances(freedom: int, shares: Floats) -> tuple[Floats, Floats, Floats]:
    """(estimated shares, sqrt(estimated / true variance), weights) by quadrature over chi-square.

    The first two have shape (shares, nodes), the weights shape (nodes,).
    """
    from scipy.special import gammaincinv

    nodes, weights = np.polynomial.legendre.leggauss(64)
    nodes, weights = (nodes + 1) / 2, weights / 2
    # Nodes are drawn towards both ends of the distribution, where the integrand is steepest.
    chance, weights = nodes**2 * (3 - 2 * nodes), weights * 6 * nodes * (1 - nodes)
    estimate = 2 * gammaincinv(freedom / 2, chance) / freedom
    variance = shares[:, None] * estimate + 1 - shares[:, None]
    return shares[:, None] * estimate / variance, np.sqrt(variance), weights
