"""Preprocessing as Keras layers: raw records in, what the network reads out.

Every layer carries its statistics in its configuration, so that a saved model and its ONNX export
hold them, and uses plain operations only, so that the export holds no loop. All read and give
float32 of shape (batch, periods, columns), with any number of periods.
"""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from records.contract import Contract, Kind
from training.data.statistics import Statistics
from training.networks.backend import keras

Scaling = Literal["min-max", "z-score"]

# No record lies this many spreads (or ranges) away: only arithmetic overflow is kept out, so that
# every finite input gives a finite output.
_LIMIT = 100.0

register = keras.saving.register_keras_serializable(package="bellwether")


@register
class SelectFeatures(keras.layers.Layer):  # type: ignore[misc]
    """Keep some of the columns.

    Args:
        columns: Positions to keep, in order.
    """

    def __init__(self, columns: Sequence[int], **options: Any) -> None:
        super().__init__(**options)
        self.columns = list(columns)

    def call(self, values: Any) -> Any:
        """Return `values` with the chosen columns only."""
        return keras.ops.take(values, np.array(self.columns, np.int32), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "columns": self.columns}


@register
class MissingIndicators(keras.layers.Layer):  # type: ignore[misc]
    """Say for some columns whether the value is missing (1) or not (0).

    Args:
        columns: Positions to look at, in order.
    """

    def __init__(self, columns: Sequence[int], **options: Any) -> None:
        super().__init__(**options)
        self.columns = list(columns)

    def call(self, values: Any) -> Any:
        """Return 0 and 1, one column for each position."""
        chosen = keras.ops.take(values, np.array(self.columns, np.int32), axis=-1)
        return keras.ops.cast(keras.ops.isnan(chosen), "float32")

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "columns": self.columns}


@register
class Impute(keras.layers.Layer):  # type: ignore[misc]
    """Put each column's fill in the place of missing values.

    Args:
        fill: One finite number for each column: a mean or a mode.
    """

    def __init__(self, fill: Sequence[float], **options: Any) -> None:
        super().__init__(**options)
        self.fill = list(fill)

    def call(self, values: Any) -> Any:
        """Return `values` without NaN."""
        return keras.ops.where(keras.ops.isnan(values), np.array(self.fill, np.float32), values)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "fill": self.fill}


@register
class Scale(keras.layers.Layer):  # type: ignore[misc]
    """Give (value - offset) x factor for each column, within ±100.

    Args:
        offset: A minimum (min-max), a mean (z-score), or 0 to leave the column as it is.
        factor: One over the range or spread; 0 for a column that did not vary.
    """

    def __init__(self, offset: Sequence[float], factor: Sequence[float], **options: Any) -> None:
        super().__init__(**options)
        self.offset, self.factor = list(offset), list(factor)

    def call(self, values: Any) -> Any:
        """Return scaled `values`."""
        offset, factor = np.array(self.offset, np.float32), np.array(self.factor, np.float32)
        return keras.ops.clip((values - offset) * factor, -_LIMIT, _LIMIT)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "offset": self.offset, "factor": self.factor}


@register
class OneHot(keras.layers.Layer):  # type: ignore[misc]
    """Give one 0-or-1 column for each level of some columns.

    Args:
        columns: Positions of the columns that hold level codes 0, 1, …
        levels: How many levels each of them has.
    """

    def __init__(self, columns: Sequence[int], levels: Sequence[int], **options: Any) -> None:
        super().__init__(**options)
        self.columns, self.levels = list(columns), list(levels)

    def call(self, values: Any) -> Any:
        """Return the levels' columns, feature by feature; a code beyond them gives zeros."""
        source = np.repeat(np.array(self.columns, np.int32), self.levels)
        code = np.concatenate([np.arange(count, dtype=np.float32) for count in self.levels])
        return keras.ops.cast(keras.ops.take(values, source, axis=-1) == code, "float32")

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        return {**super().get_config(), "columns": self.columns, "levels": self.levels}


def preprocess(
    values: Any,
    contract: Contract,
    statistics: Statistics,
    *,
    scaling: Scaling,
    missing_indicators: bool = False,
    columns: Sequence[int] | None = None,
) -> Any:
    """Build the preprocessing in front of a network (paper A and B, preprocessing).

    Numeric and ordinal features (as the position of their level: the order is kept and one column
    is enough) are imputed and scaled, flags are imputed, categorical features are imputed and
    one-hot encoded: their codes have no order under any scaling.

    Args:
        values: Keras tensor (batch, periods, features) float32, raw units, NaN for missing.
        contract: What the features mean.
        statistics: Learnt on the training part.
        scaling: 'min-max' to [0, 1] (paper A) or 'z-score' (paper B).
        missing_indicators: Also tell the network which values were missing, for the features that
            had missing values in the training part.
        columns: Positions of the features to read; None for all.

    Returns:
        Keras tensor (batch, periods, columns) float32 without NaN.
    """
    chosen = list(range(len(contract.features))) if columns is None else list(columns)
    kinds = [contract.features[column].kind for column in chosen]
    plain = [at for at, kind in enumerate(kinds) if kind is not Kind.CATEGORICAL]
    coded = [at for at, kind in enumerate(kinds) if kind is Kind.CATEGORICAL]
    gappy = [at for at, column in enumerate(chosen) if statistics.missing[column]]

    if columns is not None:
        values = SelectFeatures(chosen, name="select_features")(values)
    filled = Impute([statistics.fill[column] for column in chosen], name="impute")(values)
    parts = []
    if plain:
        numbers = filled
        if coded:
            numbers = SelectFeatures(plain, name="numbers")(filled)
        scales = [_scale(contract, statistics, chosen[at], scaling) for at in plain]
        offset, factor = zip(*scales, strict=True)
        parts.append(Scale(offset, factor, name="scale")(numbers))
    if coded:
        levels = [len(contract.features[chosen[at]].levels) for at in coded]
        parts.append(OneHot(coded, levels, name="one_hot")(filled))
    if missing_indicators and gappy:
        parts.append(MissingIndicators(gappy, name="missing")(values))
    return parts[0] if len(parts) == 1 else keras.layers.Concatenate(name="preprocessed")(parts)


def _scale(
    contract: Contract, statistics: Statistics, column: int, scaling: Scaling
) -> tuple[float, float]:
    if contract.features[column].kind is Kind.FLAG:
        return 0.0, 1.0
    if not statistics.varying[column]:
        return statistics.mean[column], 0.0
    if scaling == "min-max":
        low, high = statistics.minimum[column], statistics.maximum[column]
        return low, 1 / (high - low)
    return statistics.mean[column], 1 / statistics.spread[column]
