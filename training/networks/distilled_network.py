"""A risk network that learnt from boosted trees: several small LSTMs in one graph.

Each member reads quantile-encoded features (`training.networks.quantile_encoding`) through a ReLU layer and
an LSTM, beside a straight line past both; the logit is the members' mean. It is causal, and made of
fused LSTMs only, as all networks here (`training.networks.builders`).
"""

from collections.abc import Sequence
from typing import Any

from records.contract import Contract
from training.data.statistics import Statistics
from training.networks.backend import keras
from training.networks.builders import PERIODS, MeanOfLast
from training.networks.calibration_layer import LOGIT
from training.networks.quantile_encoding import Edges
from training.networks.quantile_network import quantile_encoded, quantile_member
from training.settings import Distillation, NetworkPreset

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
    encoded = quantile_encoded(values, contract, statistics, edges, columns)
    members = [
        quantile_member(encoded, preset, settings, outputs=1, suffix=f"_{at + 1}")
        for at in range(settings.members)
    ]
    together = members[0] if len(members) == 1 else keras.layers.Concatenate()(members)
    logits = keras.layers.Identity(name=MEMBERS)(together)
    logit = MeanOfLast(name=LOGIT)(logits)
    risk = keras.layers.Activation("sigmoid", name="risk")(logit)
    return keras.Model(values, risk, name="risk_network")
