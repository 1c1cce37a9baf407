"""What the report is made from: a run folder, read once."""

import csv
from dataclasses import dataclass

from evaluation.predictions import Predictions
from records.cohort import Floats
from training.run_folder import HISTORY, SCORE_NETWORK, RunFolder

# Enough for a mean; the attention layer keeps (records, heads, periods, periods).
_RECORDS = 256


@dataclass(frozen=True, eq=False)
class Source:
    """A run, as the report needs it.

    Attributes:
        run: Its folder.
        risk: What the models said of the test part.
        score: Likewise.
        history: Network -> rows of `history.csv`.
        attention: (periods, periods) mean attention of the score network; None without attention.
    """

    run: RunFolder
    risk: Predictions
    score: Predictions
    history: dict[str, list[dict[str, str]]]
    attention: Floats | None

    @property
    def clock(self) -> str:
        """Name of a period."""
        return self.run.contract.periods.name


def read_source(run: RunFolder) -> Source:
    """Read all that the report shows."""
    with (run.path / HISTORY).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return Source(
        run=run,
        risk=run.predictions("risk"),
        score=run.predictions("score"),
        history={
            name: [row for row in rows if row["network"] == name]
            for name in dict.fromkeys(row["network"] for row in rows)
        },
        attention=_attention(run),
    )


def _attention(run: RunFolder) -> Floats | None:
    if run.record.settings.score.attention == "none":
        return None
    from training.networks import attention_weights, load_network  # noqa: PLC0415 - takes seconds

    heldout = run.heldout()
    longest = heldout.lengths == heldout.lengths.max()
    values = heldout.take(longest).values[:_RECORDS, : int(heldout.lengths.max())]
    weights = attention_weights(load_network(run.path / SCORE_NETWORK), values)
    mean: Floats = weights.mean(axis=(0, 1))
    return mean
