"""Paired bootstrap by student: is one model better than another, or was it luck?

Students are drawn with replacement, each with all records and horizons, and every model is judged
on the very same draw (Efron and Tibshirani 1993, *An Introduction to the Bootstrap*; cluster
bootstrap: Field and Welsh 2007). Resampling steps instead would take one student's twenty weeks for
twenty students and make every interval too narrow.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from evaluation.figures import Comparison, Difference
from evaluation.predictions import Predictions
from evaluation.weighted import LESS_IS_BETTER, RISK_FIGURES, SCORE_FIGURES, Judged, ones
from records.arrays import Doubles
from records.errors import BellwetherError

# Resamples at a time: (100, 7,000 students) float64 stays within a few MB a figure.
_CHUNK = 100


class BootstrapError(BellwetherError):
    """What is to be compared is not there."""


def paired_bootstrap(
    predictions: Predictions,
    *,
    figure: str,
    model: str = "network",
    against: Sequence[str] | None = None,
    horizons: Sequence[int] | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> Comparison:
    """Bound the difference of a figure between a model and the best of others, by horizon.

    The best is the one with the best figure at that horizon on these very students: a choice made
    with hindsight, so the model is held to a bar that is, if anything, too high.

    Args:
        predictions: Of one target.
        figure: Of `evaluation.weighted.RISK_FIGURES` or `SCORE_FIGURES`.
        model: Which model.
        against: With which others; None for all others.
        horizons: Periods counted from 1; None for every one that has rows.
        resamples: Draws of the students.
        level: Share of the draws within the interval.
        seed: Of the draws: equal seeds give equal intervals.

    Returns:
        The difference model less best other at each horizon and in the mean over them; None where
        the figure is undefined.

    Raises:
        BootstrapError: No such figure, model or horizon, or nothing to compare with.
    """
    figures = RISK_FIGURES if predictions.target == "risk" else SCORE_FIGURES
    others = [name for name in predictions.models if name != model] if against is None else against
    _check(predictions, figure, figures, [model, *others])
    present = np.unique(predictions.periods).tolist()
    chosen = present if horizons is None else list(horizons)
    if absent := sorted(set(chosen) - set(present)):
        raise BootstrapError(f"no row counts at {', '.join(map(str, absent))}.")
    compute, sign = figures[figure], -1 if figure in LESS_IS_BETTER else 1

    people, person = np.unique(predictions.students, return_inverse=True)
    rows = {period: np.flatnonzero(predictions.periods == period) for period in chosen}
    judged = {
        period: {name: _judged(predictions, name, here) for name in (model, *others)}
        for period, here in rows.items()
    }
    values = {
        period: {name: float(compute(one, ones(one))[0]) for name, one in models.items()}
        for period, models in judged.items()
    }
    best = {
        period: max(others, key=lambda name: _orderable(sign * found[name]))
        for period, found in values.items()
    }
    drawn = np.empty((resamples, len(chosen)))
    start = 0
    for counts in draws(len(people), resamples, seed):
        for column, period in enumerate(chosen):
            weights = counts[:, person[rows[period]]]
            pair = (judged[period][name] for name in (model, best[period]))
            mine, other = (compute(one, weights) for one in pair)
            drawn[start : start + len(counts), column] = mine - other
        start += len(counts)
    by_horizon = {
        period: _difference(
            values[period][model],
            values[period][best[period]],
            drawn[:, column],
            level,
            best[period],
        )
        for column, period in enumerate(chosen)
    }
    return Comparison(
        figure=figure,
        less_is_better=sign < 0,
        model=model,
        resamples=resamples,
        level=level,
        seed=seed,
        students=len(people),
        horizons=by_horizon,
        mean=_difference(
            float(np.mean([values[period][model] for period in chosen])),
            float(np.mean([values[period][best[period]] for period in chosen])),
            drawn.mean(axis=1),
            level,
            _joined(best),
        ),
    )


def draws(clusters: int, resamples: int, seed: int) -> Iterator[Doubles]:
    """Yield how often each cluster is drawn, (up to 100, clusters) at a time."""
    random = np.random.default_rng(seed)
    for start in range(0, resamples, _CHUNK):
        size = min(_CHUNK, resamples - start)
        picked = random.integers(0, clusters, (size, clusters))
        picked += np.arange(size)[:, None] * clusters
        counts = np.bincount(picked.ravel(), minlength=size * clusters)
        yield counts.reshape(size, clusters).astype(np.float64)


def interval(drawn: Doubles, level: float) -> tuple[float, float] | None:
    """Return the percentile interval of what was drawn; None where it was never defined."""
    with warnings.catch_warnings():
        # Nothing but NaN: the figure is undefined, and so is the interval.
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return None if np.isnan(low) else (float(low), float(high))


def _difference(
    mine: float, other: float, drawn: Doubles, level: float, against: str
) -> Difference | None:
    bounds = interval(drawn, level)
    if bounds is None or np.isnan(mine) or np.isnan(other):
        return None
    return Difference(
        value=mine,
        against=against,
        other=other,
        difference=mine - other,
        low=bounds[0],
        high=bounds[1],
    )


def _check(
    predictions: Predictions,
    figure: str,
    figures: Mapping[str, Callable[..., Doubles]],
    models: Sequence[str],
) -> None:
    if figure not in figures:
        raise BootstrapError(f"no figure is named '{figure}'; there are {', '.join(figures)}.")
    for name in models:
        if name not in predictions.models:
            there = ", ".join(predictions.models)
            raise BootstrapError(f"no model is named '{name}'; there are {there}.")
    if len(models) < 2:
        raise BootstrapError("there is nothing to compare with; name another model.")
    if not len(predictions):
        raise BootstrapError("no step counts, so there is nothing to compare.")


def _judged(predictions: Predictions, model: str, rows: np.ndarray) -> Judged:
    return Judged(
        predictions.actual[rows].astype(np.float64),
        predictions.models[model][rows].astype(np.float64),
    )


def _orderable(figure: float) -> float:
    return -np.inf if np.isnan(figure) else figure


def _joined(best: Mapping[int, str]) -> str:
    return ", ".join(dict.fromkeys(best.values()))
