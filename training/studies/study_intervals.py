"""Is a network better than the best baseline? Differences with intervals, by horizon.

The paired bootstrap by student of `evaluation.bootstrap`, on the first seed's predictions for
the test part.
"""

from collections import defaultdict
from collections.abc import Iterable

from evaluation.bootstrap import paired_bootstrap
from evaluation.figures import Difference
from evaluation.predictions import risk_predictions, score_predictions
from records.arrays import Floats
from records.cohort import Cohort
from training.model import Target
from training.registry import model
from training.settings import SplitKind
from training.studies.study import Plan, Prediction
from training.studies.study_tables import MEAN, StudyTable

RESAMPLES = 500
_FIGURES: dict[Target, tuple[str, ...]] = {"risk": ("auc", "brier"), "score": ("mae", "rmse")}


def differences(
    found: Iterable[Prediction], plan: Plan, clock: str, *, resamples: int = RESAMPLES
) -> list[StudyTable]:
    """Compare each network with the best baseline at each horizon.

    Args:
        found: Of the test part.
        plan: What was compared.
        clock: What the contract calls a period.
        resamples: Draws of the students.

    Returns:
        One table for each target, split and figure that has both networks and baselines.
    """
    models: dict[tuple[Target, SplitKind], dict[str, Floats]] = defaultdict(dict)
    cohorts: dict[tuple[Target, SplitKind], Cohort] = {}
    for one in found:
        if one.cell.seed == plan.seeds[0]:
            key = one.cell.target, one.cell.split
            models[key][one.cell.model] = one.predicted
            cohorts[key] = one.cohort
    tables = []
    for (target, split), predicted in models.items():
        networks = [name for name in predicted if model(target, name).neural]
        baselines = [name for name in predicted if name not in networks]
        if not networks or not baselines:
            continue
        gather = risk_predictions if target == "risk" else score_predictions
        table = gather(cohorts[target, split], predicted)
        present = set(table.periods.tolist())
        horizons = [horizon for horizon in plan.horizons if horizon in present]
        for figure in _FIGURES[target]:
            rows = []
            for name in networks:
                comparison = paired_bootstrap(
                    table,
                    figure=figure,
                    model=name,
                    against=baselines,
                    horizons=horizons,
                    resamples=resamples,
                )
                bounds = [comparison.horizons[horizon] for horizon in horizons]
                rows.append((name, *map(_cell, (*bounds, comparison.mean))))
            better = "below" if comparison.less_is_better else "above"
            title = (
                f"{figure.upper()} less that of the best baseline, with its 95% interval ({better} "
                f"0 is better): {plan.data}, {split}, test part, first seed"
            )
            heads = ("model", *(f"{clock} {horizon}" for horizon in horizons), MEAN)
            tables.append(
                StudyTable(f"{target}-{split}-{figure}-difference", title, heads, tuple(rows))
            )
    return tables


def _cell(difference: Difference | None) -> str:
    if difference is None:
        return "n/a"
    digits = 2 if abs(difference.value) > 1 else 4
    numbers = (difference.difference, difference.low, difference.high)
    apart, low, high = (f"{number:+.{digits}f}" for number in numbers)
    return f"{apart} [{low}, {high}] {difference.against}"
