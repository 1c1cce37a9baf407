"""Networks on quantile-encoded features (`training.networks.quantile_encoding`).

A ReLU layer, attention where the preset has it in front, and an LSTM lie beside a straight line
past all of them. Causal, and made of fused LSTMs only, as all networks here (`training.networks.builders`).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from records.contract import Contract, Kind
from training.data.statistics import Statistics
from training.networks.backend import keras
from training.networks.builders import PERIODS, RawScore, attended
from training.networks.preprocessing import MissingIndicators, OneHot
from training.networks.quantile_encoding import Edges, QuantileRamps
from training.settings import NetworkPreset, Quantiles


def build_quantile_score_network(
    contract: Contract,
    statistics: Statistics,
    edges: Edges,
    preset: NetworkPreset,
    target: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    columns: Sequence[int],
) -> Any:
    """Build a score network.

    Args:
        contract: What the features and the score mean.
        statistics: Of the training part.
        edges: Of the columns that are not categorical, in their order.
        preset: Its attention, the units of its LSTM and the dropout behind it; its `quantiles`.
        target: Mean and standard deviation of each subject's target in the training part.
        columns: Positions of the features to read.

    Returns:
        Keras model of `values` (batch, periods, features); its output `score` (batch, periods,
        subjects) is in raw units, within the contract's range.
    """
    score = contract.targets.score
    values = keras.Input((PERIODS, len(contract.features)), name="values")
    encoded = quantile_encoded(values, contract, statistics, edges, columns)
    settings = preset.quantiles or Quantiles()
    hidden = quantile_member(encoded, preset, settings, outputs=len(score.subjects))
    mean, spread = target
    raw = RawScore(mean.tolist(), spread.tolist(), score.minimum, score.maximum, name="score")
    return keras.Model(values, raw(hidden), name="score_network")


def numbers_of(contract: Contract, columns: Sequence[int]) -> list[int]:
    """Return the columns that are encoded as numbers: all but the categorical ones."""
    return [at for at in columns if contract.features[at].kind is not Kind.CATEGORICAL]


def quantile_encoded(
    values: Any,
    contract: Contract,
    statistics: Statistics,
    edges: Edges,
    columns: Sequence[int],
) -> Any:
    """Encode numbers by quantiles, categories by levels, and say what is missing."""
    coded = [at for at in columns if contract.features[at].kind is Kind.CATEGORICAL]
    plain = numbers_of(contract, columns)
    gappy = [at for at in plain if statistics.missing[at]]
    parts = [QuantileRamps(plain, edges, name="ramps")(values)]
    if coded:
        levels = [len(contract.features[at].levels) for at in coded]
        # A missing level is none of them: zeros.
        parts.append(OneHot(coded, levels, name="one_hot")(values))
    if gappy:
        parts.append(MissingIndicators(gappy, name="missing")(values))
    return parts[0] if len(parts) == 1 else keras.layers.Concatenate(name="encoded")(parts)


def quantile_member(
    encoded: Any, preset: NetworkPreset, settings: Quantiles, *, outputs: int, suffix: str = ""
) -> Any:
    """Build what lies behind the encoding, up to (batch, periods, outputs)."""
    hidden = keras.layers.Dense(settings.encoder_units, activation="relu", name=f"encoder{suffix}")(
        encoded
    )
    if preset.attention == "before":
        hidden = attended(hidden, preset, suffix=suffix)
    lstm = keras.layers.LSTM(preset.units, return_sequences=True, name=f"lstm{suffix}")
    recurrent = lstm(hidden)
    if preset.dropout:
        # One mask for all periods.
        recurrent = keras.layers.Dropout(
            preset.dropout, noise_shape=(None, 1, preset.units), name=f"dropout{suffix}"
        )(recurrent)
    straight = keras.layers.Dense(outputs, use_bias=False, name=f"straight{suffix}")(encoded)
    head = keras.layers.Dense(outputs, name=f"head{suffix}")(recurrent)
    return keras.layers.Add()([head, straight])
