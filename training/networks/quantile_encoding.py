"""Encode each number by how far it reaches through the quantiles of the training part.

Piecewise-linear encoding (Gorishniy, Rubachev, Babenko 2022, "On embeddings for numerical features
in tabular deep learning", section 3.2, equation 1): a network then bends where the data do, as
trees do, instead of seeing one straight line for each feature.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from records.cohort import Cohort
from training.networks.backend import keras
from training.networks.preprocessing import register

Edges = tuple[tuple[float, ...], ...]


def learn_edges(cohort: Cohort, columns: Sequence[int], intervals: int) -> Edges:
    """Learn the edges between intervals that hold equally many values, equal ones joined.

    Args:
        cohort: The training part.
        columns: Positions of the features.
        intervals: At most so many a feature.

    Returns:
        Ascending edges of each column in raw units, one more than it has intervals; none for a
        column that does not vary.
    """
    observed = cohort.observed
    found = []
    for column in columns:
        values = cohort.values[:, :, column][observed]
        seen = values[~np.isnan(values)]
        levels = np.linspace(0, 1, intervals + 1)
        edges = np.unique(np.quantile(seen, levels).astype(np.float32)) if seen.size else seen
        found.append(tuple(edges.tolist()) if len(edges) > 1 else ())
    return tuple(found)


@register
class QuantileRamps(keras.layers.Layer):  # type: ignore[misc]
    """Give, for each interval of a column, how far the value reaches through it: 0 to 1.

    A missing value reaches through none.

    Args:
        columns: Positions of the columns to read, in order.
        edges: Ascending edges of each, raw units, as `learn_edges` gives them.

    Attributes:
        source: Position of the column that each interval is of.
        low: Lower edge of each interval, float32.
        factor: One over its width, float32.
    """

    def __init__(
        self, columns: Sequence[int], edges: Sequence[Sequence[float]], **options: Any
    ) -> None:
        super().__init__(**options)
        self.columns, self.edges = list(columns), [list(each) for each in edges]
        counts = [max(len(each) - 1, 0) for each in self.edges]
        low = [edge for each in self.edges for edge in each[:-1]]
        high = [edge for each in self.edges for edge in each[1:]]
        self.source = np.repeat(np.array(self.columns, np.int32), counts)
        self.low = np.array(low, np.float32)
        self.factor = (1 / (np.array(high, np.float64) - np.array(low, np.float64))).astype(
            np.float32
        )

    def call(self, values: Any) -> Any:
        """Return (batch, periods, intervals of all columns)."""
        chosen = keras.ops.take(values, self.source, axis=-1)
        present = keras.ops.where(keras.ops.isnan(chosen), self.low, chosen)
        return keras.ops.clip((present - self.low) * self.factor, 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "columns": self.columns, "edges": self.edges}
