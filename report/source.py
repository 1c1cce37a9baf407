"""What the report is made from: a run folder, read once."""

import csv
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.known import known_risk, known_score
from evaluation.predictions import Predictions
from records.arrays import Floats
from records.cohort import Cohort
from report.complexity import Measured, read_measured
from report.contribution import Contribution, contribution
from report.explanation_tables import check_network
from scoring.bundle.manifest import ExplanationChecks
from training.run_folder import COMPLEXITY, HISTORY, RISK_NETWORK, SCORE_NETWORK, RunFolder

# Enough for a mean; the attention layer keeps (records, heads, periods, periods).
_RECORDS = 256


@dataclass(frozen=True, eq=False)
class Source:
    """A run, as the report needs it.

    Attributes:
        run: Its folder.
        risk: The models' predictions for the test part.
        score: Likewise.
        history: Network -> rows of `history.csv`.
        attention: (periods, periods) mean attention of the score network; None without attention.
        contributions: 'score' and 'risk' -> what each feature contributes.
        explanations: What was checked of reasons and what-if.
        complexity: Time and memory, where they were measured.
    """

    run: RunFolder
    risk: Predictions
    score: Predictions
    history: dict[str, list[dict[str, str]]]
    attention: Floats | None
    contributions: dict[str, Contribution]
    explanations: ExplanationChecks
    complexity: tuple[Measured, ...]

    @property
    def clock(self) -> str:
        """Name of a period."""
        return self.run.contract.periods.name


def read_source(run: RunFolder) -> Source:
    """Read all that the report shows."""
    from training.networks.builders import load_network  # noqa: PLC0415 - takes seconds

    with (run.path / HISTORY).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    heldout = run.heldout()
    risk, score = (load_network(run.path / name) for name in (RISK_NETWORK, SCORE_NETWORK))
    measured = run.path / COMPLEXITY
    return Source(
        run=run,
        risk=run.predictions("risk"),
        score=run.predictions("score"),
        history={
            name: [row for row in rows if row["network"] == name]
            for name in dict.fromkeys(row["network"] for row in rows)
        },
        attention=_attention(run, heldout, score),
        contributions=_contributions(heldout, risk, score),
        explanations=_explanations(run, heldout, risk),
        complexity=tuple(read_measured(measured)) if measured.is_file() else (),
    )


def _attention(run: RunFolder, heldout: Cohort, network: Any) -> Floats | None:
    from training.networks.builders import attention_weights  # noqa: PLC0415 - takes seconds

    if run.record.settings.score.attention == "none":
        return None
    longest = heldout.lengths == heldout.lengths.max()
    values = heldout.take(longest).values[:_RECORDS, : int(heldout.lengths.max())]
    mean: Floats = attention_weights(network, values).mean(axis=(0, 1))
    return mean


def _explanations(run: RunFolder, heldout: Cohort, risk: Any) -> ExplanationChecks:
    from training.networks.builders import predict  # noqa: PLC0415 - takes seconds

    return check_network(lambda values: predict(risk, values), heldout, run.reference)


def _contributions(heldout: Cohort, risk: Any, score: Any) -> dict[str, Contribution]:
    from training.networks.builders import predict  # noqa: PLC0415 - takes seconds

    return {
        "score": contribution(
            heldout,
            lambda values: predict(score, values),
            heldout.score,
            known_score(heldout),
            lambda predicted, actual: np.abs(predicted - actual),
            figure="mean absolute error",
        ),
        "risk": contribution(
            heldout,
            lambda values: predict(risk, values),
            heldout.risk,
            known_risk(heldout),
            lambda predicted, actual: (predicted - actual) ** 2,
            figure="Brier score",
        ),
    }
