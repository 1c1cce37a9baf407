"""How to train: the papers' hyperparameters as named presets, and the settings of a whole run."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Literal["stratified-80-20", "stratified-70-15-15", "temporal"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Schedule(_Frozen):
    """How a network is fitted: Adam, with early stopping on the validation loss."""

    learning_rate: float = Field(default=1e-3, gt=0)
    batch_size: int = Field(default=32, ge=1, description="Records a step.")
    epochs: int = Field(default=100, ge=1, description="At most.")
    patience: int = Field(default=10, ge=1, description="Epochs without a better validation loss.")


class RiskPreset(_Frozen):
    """Paper A's network: LSTM → dropout → Dense(1, sigmoid) at every period."""

    name: str
    units: int = Field(default=64, ge=1, description="Of the LSTM.")
    dropout: float = Field(default=0.2, ge=0, lt=1)
    scaling: Literal["min-max", "z-score"] = "min-max"
    missing_indicators: bool = False
    schedule: Schedule = Schedule()


class ScorePreset(_Frozen):
    """Paper B's network: causal multi-head attention → LSTM → Dense(ReLU) → Dense(linear)."""

    name: str
    heads: int = Field(default=4, ge=1)
    key_size: int = Field(default=16, ge=1, description="Of each head: d_k.")
    residual: bool = Field(default=False, description="Whether the LSTM also reads the input.")
    units: int = Field(default=64, ge=1, description="Of the LSTM.")
    dense_units: int = Field(default=32, ge=1)
    scaling: Literal["min-max", "z-score"] = "z-score"
    missing_indicators: bool = False
    schedule: Schedule = Schedule()


_LARGE = Schedule(batch_size=256, epochs=60, patience=6)

# `paper-a` and `paper-b` are what the papers say; batch size, patience and paper B's heads and
# layer sizes they leave open, and the defaults above fill in. `large` is the same network for tens
# of thousands of long, gappy histories.
RISK_PRESETS = {
    preset.name: preset
    for preset in (
        RiskPreset(name="paper-a"),
        RiskPreset(name="large", scaling="z-score", missing_indicators=True, schedule=_LARGE),
    )
}
SCORE_PRESETS = {
    preset.name: preset
    for preset in (
        ScorePreset(name="paper-b"),
        ScorePreset(name="large", residual=True, missing_indicators=True, schedule=_LARGE),
    )
}


class SplitSettings(_Frozen):
    """Which records train, validate and test.

    Attributes:
        kind: Paper A's 80:20, paper B's 70/15/15, or by cohort in the order of time.
        test_cohorts: Temporal only: the cohorts to test on; empty for the latest.
        validation_cohorts: Temporal only: the cohorts to validate on. Empty: those before the
            test cohorts or, where `test_cohorts` are given, 15% of the remaining students.
    """

    kind: Share = "stratified-80-20"
    test_cohorts: tuple[str, ...] = ()
    validation_cohorts: tuple[str, ...] = ()


class TrainingSettings(_Frozen):
    """Everything that decides how a run comes out, beside the data.

    Attributes:
        fence_reach: Interquartile ranges beyond the quartiles that still count as ordinary.
        outlying_share: A training record is removed when more than this share of its values lie
            outside the fences; 0 removes at the first such value, 1 removes none.
        risk_selection: Pearson |r| that a feature must reach to be read by the risk network; None
            reads all (paper A has no selection).
        score_selection: The same for the score network (paper B, preprocessing).
        seed: Of the split, the weights, the order of batches and dropout.
    """

    risk: RiskPreset = RISK_PRESETS["paper-a"]
    score: ScorePreset = SCORE_PRESETS["paper-b"]
    split: SplitSettings = SplitSettings()
    fence_reach: float = Field(default=3.0, gt=0)
    outlying_share: float = Field(default=0.0, ge=0, le=1)
    risk_selection: float | None = Field(default=None, ge=0, lt=1)
    score_selection: float | None = Field(default=None, ge=0, lt=1)
    seed: int = Field(default=0, ge=0, lt=2**32)
