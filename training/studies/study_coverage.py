"""Do the intervals of the score hold what they promise? Coverage and width, by horizon.

Half-widths are learnt by split conformal prediction (`training.fitting.intervals`) on what each cell's
model predicted for the validation part, and judged on the test part. The validation part decided when
networks and boosting stopped, so that their residuals there are a little small: what the test part
shows is what such intervals are worth.
"""

from collections.abc import Iterable, Iterator

from evaluation.known import known_score
from training.fitting.calibration_data import HeldOutPredictions
from training.fitting.intervals import COVERAGE, learn_intervals, mean_widths, with_coverage
from training.studies.study import Plan, Prediction
from training.studies.study_tables import Judgement, Row, by_horizon, summed


def coverage(validation: Iterable[Prediction], test: Iterable[Prediction], plan: Plan) -> list[Row]:
    """Judge the intervals of every score model.

    Args:
        validation: Each cell's predictions for the validation part.
        test: And of the test part.
        plan: What was compared.

    Returns:
        Rows of the figures `coverage`, the share of the test part's scores that lay within, and
        `width`, raw units.
    """
    learnt = {
        one.cell: learn_intervals(
            HeldOutPredictions(one.predicted, one.cohort, "validation part"), coverage=COVERAGE
        )
        for one in validation
        if one.cell.target == "score"
    }

    def judge(one: Prediction) -> Iterator[Judgement]:
        intervals = learnt[one.cell]
        held = with_coverage(intervals, one.predicted, one.cohort).measured
        width = mean_widths(intervals, one.predicted, one.cohort)
        counts = known_score(one.cohort).sum(axis=(0, 2))
        by_period = {at: {"coverage": held[at], "width": width[at]} for at in held}
        yield from by_horizon(by_period, {at: int(counts[at - 1]) for at in held}, plan)

    return summed((one.cell, judge(one)) for one in test if one.cell in learnt)
