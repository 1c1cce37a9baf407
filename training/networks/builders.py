"""The networks, from raw records to risk or to next score, after every period.

Both read `values` (batch, periods, features) float32 in raw units with NaN for missing, and are
causal: step t is made from periods up to t. There is no masking layer, no recurrent dropout and no
fixed number of periods: so the LSTM stays one fused ONNX node, padding after the end of a history
cannot change what comes before it, and a short history costs no more than its length (score
network in ONNX Runtime, 256 students: 2 ms for 4 periods against 29 ms for 40; one student:
0.08 against 0.20 ms).

LSTM, stacked LSTMs, attention before or after them, attention alone: each is a preset of the same
builder, for risk and for score.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from records.arrays import Floats
from records.contract import Contract, ScoreTarget
from training.data.statistics import Statistics
from training.networks.backend import keras
from training.networks.calibration_layer import LOGIT
from training.networks.preprocessing import preprocess, register
from training.networks.quantile_encoding import QuantileRamps  # noqa: F401 - `load_network` must know it
from training.settings import NetworkPreset

# The periods axis of both networks' input: None, any number of periods from 1 on.
PERIODS: int | None = None

_ATTENTION, _ATTENTION_INPUT = "attention", "attention_input"


@register
class DropLastAxis(keras.layers.Layer):  # type: ignore[misc]
    """Turn (batch, periods, 1) into (batch, periods)."""

    def call(self, values: Any) -> Any:
        """Return `values` without the last axis."""
        return keras.ops.squeeze(values, axis=-1)


@register
class MeanOfLast(keras.layers.Layer):  # type: ignore[misc]
    """Turn (batch, periods, members) into their mean, (batch, periods)."""

    def call(self, values: Any) -> Any:
        """Return the mean over the last axis."""
        return keras.ops.mean(values, axis=-1)


@register
class RawScore(keras.layers.Layer):  # type: ignore[misc]
    """Give mean + spread x output in raw units, within the contract's range unless training.

    In training nothing is cut off: beyond the range the gradient would be zero, and a network that
    starts there could never come back.

    Args:
        mean: Mean of each subject's target in the training part.
        spread: Its standard deviation.
        minimum: Smallest score of the contract.
        maximum: Largest score of the contract.
    """

    def __init__(
        self,
        mean: Sequence[float],
        spread: Sequence[float],
        minimum: float,
        maximum: float,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.mean, self.spread = list(mean), list(spread)
        self.minimum, self.maximum = minimum, maximum

    def call(self, outputs: Any, training: bool = False) -> Any:
        """Return scores (batch, periods, subjects)."""
        mean, spread = np.array(self.mean, np.float32), np.array(self.spread, np.float32)
        scores = outputs * spread + mean
        return scores if training else keras.ops.clip(scores, self.minimum, self.maximum)

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds the layer."""
        own = {name: getattr(self, name) for name in ("mean", "spread", "minimum", "maximum")}
        return {**super().get_config(), **own}


def build_risk_network(
    contract: Contract,
    statistics: Statistics,
    preset: NetworkPreset,
    *,
    columns: Sequence[int] | None = None,
) -> Any:
    """Build a risk network: preprocessing → LSTM → dropout → Dense(1, sigmoid) at every step.

    With the preset `paper-a` it is paper A's.

    Args:
        contract: What the features mean.
        statistics: Of the training part.
        preset: Hyperparameters.
        columns: Positions of the features to read; None for all.

    Returns:
        Keras model; its layer `logit` and its output `risk`, the sigmoid of it, are (batch,
        periods).
    """
    values = keras.Input((PERIODS, len(contract.features)), name="values")
    hidden = _encoded(values, contract, statistics, preset, columns)
    logit = DropLastAxis(name=LOGIT)(keras.layers.Dense(1, name="head")(hidden))
    risk = keras.layers.Activation("sigmoid", name="risk")(logit)
    return keras.Model(values, risk, name="risk_network")


def build_score_network(
    contract: Contract,
    statistics: Statistics,
    preset: NetworkPreset,
    target: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    columns: Sequence[int] | None = None,
) -> Any:
    """Build a score network: preprocessing → causal attention → LSTM → Dense(ReLU) → Dense.

    With the preset `paper-b` it is paper B's.

    Args:
        contract: What the features and the score mean.
        statistics: Of the training part.
        preset: Hyperparameters.
        target: Mean and standard deviation of each subject's target in the training part.
        columns: Positions of the features to read; None for all.

    Returns:
        Keras model; its output `score` (batch, periods, subjects) is in raw units, within the
        contract's range.
    """
    score: ScoreTarget = contract.targets.score
    values = keras.Input((PERIODS, len(contract.features)), name="values")
    hidden = _encoded(values, contract, statistics, preset, columns)
    hidden = keras.layers.Dense(len(score.subjects), name="head")(hidden)
    mean, spread = target
    raw = RawScore(mean.tolist(), spread.tolist(), score.minimum, score.maximum, name="score")
    return keras.Model(values, raw(hidden), name="score_network")


def _encoded(
    values: Any,
    contract: Contract,
    statistics: Statistics,
    preset: NetworkPreset,
    columns: Sequence[int] | None,
) -> Any:
    """Build all that lies between the raw values and the head."""
    hidden = preprocess(
        values,
        contract,
        statistics,
        scaling=preset.scaling,
        missing_indicators=preset.missing_indicators,
        columns=columns,
    )
    if preset.attention == "before":
        hidden = attended(hidden, preset)
    for layer in range(preset.layers):
        if preset.attention == "only":
            hidden = attended(hidden, preset, suffix=_numbered(layer))
        else:
            lstm = keras.layers.LSTM(
                preset.units, return_sequences=True, name=f"lstm{_numbered(layer)}"
            )
            hidden = lstm(hidden)
    if preset.attention == "after":
        hidden = attended(hidden, preset)
    if preset.dropout:
        hidden = keras.layers.Dropout(preset.dropout, name="dropout")(hidden)
    if preset.dense_units:
        hidden = keras.layers.Dense(preset.dense_units, activation="relu", name="dense")(hidden)
    return hidden


def attended(hidden: Any, preset: NetworkPreset, *, suffix: str = "") -> Any:
    """Let each period of `hidden` (batch, periods, units) attend to those so far.

    Attention(Q, K, V) = softmax(QKᵀ/√d_k)V, heads joined and projected (paper B).
    """
    hidden = keras.layers.Identity(name=f"{_ATTENTION_INPUT}{suffix}")(hidden)
    attention = keras.layers.MultiHeadAttention(
        preset.heads, preset.key_size, name=f"{_ATTENTION}{suffix}"
    )
    attended = attention(hidden, hidden, use_causal_mask=True)
    if preset.residual:
        attended = keras.layers.Add(name=f"residual{suffix}")([hidden, attended])
    return attended


def _numbered(layer: int) -> str:
    return f"_{layer + 1}" if layer else ""


def attention_weights(network: Any, values: Floats) -> Floats:
    """Compute what each period attends to in the first attention of a fitted network.

    Args:
        network: One with an attention, also after saving and loading.
        values: (records, periods, features) float32, raw units.

    Returns:
        (records, heads, periods, periods) float32; [r, h, t] sums to 1 over the periods up to t.
    """
    into = keras.Model(network.input, network.get_layer(_ATTENTION_INPUT).output)
    hidden = into.predict(values, verbose=0)
    _, weights = network.get_layer(_ATTENTION)(
        hidden, hidden, use_causal_mask=True, return_attention_scores=True
    )
    return np.asarray(weights, np.float32)


def predict(network: Any, values: Floats) -> Floats:
    """Run a network over many records in chunks; shapes as the network's output."""
    return np.asarray(network.predict(values, batch_size=1024, verbose=0), np.float32)


def load_network(path: Path) -> Any:
    """Load a network that was saved in a run folder."""
    return keras.saving.load_model(path, compile=False)
