"""A risk network that learnt from boosted trees: several small LSTMs in one graph.

Each member reads quantile-encoded features (`training.quantile_encoding`) through a ReLU layer and
an LSTM, beside a straight line past both; the logit is the members' mean. It is causal, and made of
fused LSTMs only, as all networks here (`training.networks`).
"""

from collections.abc import Sequence
from typing import Any

from records.contract import Contract, Kind
from training.backend import keras
from training.calibration_layer import LOGIT
from training.networks import PERIODS, MeanOfLast
from training.preprocessing import MissingIndicators, OneHot
from training.quantile_encoding import Edges, QuantileRamps
from training.settings import Distillation, NetworkPreset
from training.statistics import Statistics

# Layer of the members' logits, (batch, periods, members): what is fitted.
MEMBERS = "members"


def build_distilled_network(
    contract: Contract,
    statistics: Statistics,
    edges: Edges,
    preset: NetworkPreset,
    *,
    columns: Sequence[int],
) -> Any:
    """Build the network.

    Args:
        contract: What the features mean.
        statistics: Of the training part.
        edges: Of the columns that are not categorical, in their order.
        preset: Units of each LSTM, dropout behind it (one mask for all periods), and the members
            by its distillation.
        columns: Positions of the features to read.

    Returns:
        Keras model of `values` (batch, periods, features); its layer `logit` and its output
        `risk` are (batch, periods).
    """
    settings = preset.distillation or Distillation()
    values = keras.Input((PERIODS, len(contract.features)), name="values")
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
    encoded = parts[0] if len(parts) == 1 else keras.layers.Concatenate(name="encoded")(parts)
    members = [_member(encoded, preset, settings, at) for at in range(settings.members)]
    together = members[0] if len(members) == 1 else keras.layers.Concatenate()(members)
    logits = keras.layers.Identity(name=MEMBERS)(together)
    logit = MeanOfLast(name=LOGIT)(logits)
    risk = keras.layers.Activation("sigmoid", name="risk")(logit)
    return keras.Model(values, risk, name="risk_network")


def numbers_of(contract: Contract, columns: Sequence[int]) -> list[int]:
    """Return the columns that are encoded as numbers: all but the categorical ones."""
    return [at for at in columns if contract.features[at].kind is not Kind.CATEGORICAL]


def _member(encoded: Any, preset: NetworkPreset, settings: Distillation, number: int) -> Any:
    name = f"_{number + 1}"
    hidden = keras.layers.Dense(settings.encoder_units, activation="relu", name=f"encoder{name}")
    lstm = keras.layers.LSTM(preset.units, return_sequences=True, name=f"lstm{name}")
    recurrent = lstm(hidden(encoded))
    if preset.dropout:
        recurrent = keras.layers.Dropout(
            preset.dropout, noise_shape=(None, 1, preset.units), name=f"dropout{name}"
        )(recurrent)
    straight = keras.layers.Dense(1, use_bias=False, name=f"straight{name}")(encoded)
    return keras.layers.Add()([keras.layers.Dense(1, name=f"head{name}")(recurrent), straight])
