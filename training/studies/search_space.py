"""What a hyperparameter search tries: heads, units, learning rate, layers, attention's position."""

import itertools
from collections.abc import Mapping
from typing import Any

import optuna
from pydantic import BaseModel, ConfigDict, Field

from training.settings import Attention, NetworkPreset

Point = Mapping[str, Any]


class SearchSpace(BaseModel):
    """The values of each dimension; paper B's grid is over the first three.

    Attributes:
        heads: Of the attention.
        units: Of each LSTM.
        learning_rates: In a grid, the values; for a sampler, their smallest and largest.
        layers: LSTMs on each other.
        attention: Where it stands.
        dropout: Behind the last layer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    heads: tuple[int, ...] = Field(default=(2, 4, 8), min_length=1)
    units: tuple[int, ...] = Field(default=(32, 64, 128), min_length=1)
    learning_rates: tuple[float, ...] = Field(default=(0.0005, 0.001, 0.005), min_length=1)
    layers: tuple[int, ...] = Field(default=(1,), min_length=1)
    attention: tuple[Attention, ...] = Field(default=("before",), min_length=1)
    dropout: tuple[float, ...] = Field(default=(0.0,), min_length=1)

    def grid(self) -> list[Point]:
        """Return every combination; those that differ only in what is not there are one."""
        names = ("heads", "units", "learning_rate", "layers", "attention", "dropout")
        values = (
            *(self.heads, self.units, self.learning_rates),
            *(self.layers, self.attention, self.dropout),
        )
        points: dict[tuple[Any, ...], Point] = {}
        for combination in itertools.product(*values):
            point = dict(zip(names, combination, strict=True))
            if point["attention"] == "none":
                point["heads"] = self.heads[0]
            if point["attention"] == "only":
                point["units"] = self.units[0]
            points.setdefault(tuple(point.values()), point)
        return list(points.values())

    def suggest(self, trial: optuna.Trial, *, grid: bool) -> Point:
        """Let a trial choose a point."""
        low, high = min(self.learning_rates), max(self.learning_rates)
        if grid:
            rate: float = trial.suggest_categorical("learning_rate", self.learning_rates)
        else:
            rate = trial.suggest_float("learning_rate", low, high, log=True)
        return {
            "learning_rate": rate,
            "heads": trial.suggest_categorical("heads", self.heads),
            "units": trial.suggest_categorical("units", self.units),
            "layers": trial.suggest_categorical("layers", self.layers),
            "attention": trial.suggest_categorical("attention", self.attention),
            "dropout": trial.suggest_categorical("dropout", self.dropout),
        }


def preset_at(point: Point, base: NetworkPreset, *, name: str) -> NetworkPreset:
    """Return `base` with a point's hyperparameters."""
    schedule = base.schedule.model_copy(update={"learning_rate": point["learning_rate"]})
    rest = {key: value for key, value in point.items() if key != "learning_rate"}
    changed = {**base.model_dump(), **rest, "schedule": schedule.model_dump(), "name": name}
    return NetworkPreset.model_validate(changed)
