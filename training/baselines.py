"""What a network has to beat, on the very same steps: the rows of every table.

Each baseline learns from the training part, may stop by the validation part, and predicts the
steps of the test part that count. Another model is another row of `RISK_BASELINES` or
`SCORE_BASELINES`.
"""

from collections.abc import Callable, Mapping

from training.boosting import risk_boosting, score_boosting
from training.naive import (
    risk_base_rate,
    risk_last_value,
    score_last,
    score_mean,
    score_mean_so_far,
)
from training.parts import Baseline, Parts

Fit = Callable[[Parts, int], Baseline | None]

RISK_BASELINES: Mapping[str, Fit] = {
    "base_rate": risk_base_rate,
    "last_value": risk_last_value,
    "boosting": risk_boosting,
}
SCORE_BASELINES: Mapping[str, Fit] = {
    "mean": score_mean,
    "last_score": score_last,
    "mean_so_far": score_mean_so_far,
    "boosting": score_boosting,
}


def fit_baselines(
    table: Mapping[str, Fit],
    parts: Parts,
    *,
    seed: int,
    on_fitted: Callable[[], None] | None = None,
) -> dict[str, Baseline]:
    """Fit the baselines of a table, in order; one that the contract gives no ground for is absent.

    Args:
        table: `RISK_BASELINES` or `SCORE_BASELINES`.
        parts: Where to learn, stop and predict.
        seed: Of everything random.
        on_fitted: Called after each.
    """
    fitted = {}
    for name, fit in table.items():
        baseline = fit(parts, seed)
        if baseline is not None:
            fitted[name] = baseline
        if on_fitted is not None:
            on_fitted()
    return fitted
