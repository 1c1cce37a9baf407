"""What happened epoch by epoch while a network was fitted."""

import csv
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Epoch(BaseModel):
    """Losses (mean over the steps that count) and, for the risk network, accuracies at 0.5.

    The training figures are running means over the epoch with dropout on, as Keras reports them;
    the validation figures are taken at its end with dropout off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epoch: int
    loss: float
    validation_loss: float
    accuracy: float | None = None
    validation_accuracy: float | None = None


class History(BaseModel):
    """All epochs of one network.

    Attributes:
        epochs: In order, counted from 1.
        best: The epoch whose weights were kept: the one with the lowest validation loss.
        stopped_early: Whether patience ran out before the epochs did.
        seconds: Wall-clock time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    epochs: tuple[Epoch, ...]
    best: int
    stopped_early: bool
    seconds: float


def write_histories(histories: Mapping[str, History], path: Path) -> None:
    """Write one CSV row for each network and epoch."""
    columns = ["network", *Epoch.model_fields, "kept"]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for network, history in histories.items():
            for epoch in history.epochs:
                kept = int(epoch.epoch == history.best)
                writer.writerow({"network": network, **epoch.model_dump(), "kept": kept})
