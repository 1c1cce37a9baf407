"""How to train: the papers' hyperparameters as named presets, and the settings of a whole run."""

from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from records.cohort import Cohort
from training.targets import usable

SplitKind = Literal["stratified-80-20", "stratified-70-15-15", "temporal"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Schedule(_Frozen):
    """How a network is fitted: Adam, with early stopping on the validation loss."""

    learning_rate: float = Field(default=1e-3, gt=0)
    batch_size: int = Field(default=32, ge=1, description="Records a step.")
    epochs: int = Field(default=100, ge=1, description="At most.")
    patience: int = Field(default=6, ge=1, description="Epochs without a better validation loss.")


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


_LARGE = Schedule(batch_size=256, epochs=60, patience=5)

# `paper-a` and `paper-b` are what the papers say; batch size, patience and paper B's heads and
# layer sizes they leave open, and the defaults above fill in. `large` serves tens
# of thousands of long, gappy histories and departs from the papers: z-scores for both networks,
# missing-value indicators, a residual around the attention, larger batches and less patience.
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
        validation_cohorts: Temporal only: the cohorts to validate on; empty for those before the
            latest or, where cohorts are few or `test_cohorts` are given, for 15% of the earlier
            students.
    """

    kind: SplitKind = "stratified-80-20"
    test_cohorts: tuple[str, ...] = ()
    validation_cohorts: tuple[str, ...] = ()


class TrainingSettings(_Frozen):
    """Everything that decides how a run comes out, beside the data.

    Attributes:
        fence_reach: Interquartile ranges beyond the quartiles that still count as ordinary.
        outlying_limit: Largest share of the training records that may be removed for values
            outside the fences; where there are more, none is removed, see `training.outliers`.
        risk_selection: Pearson |r| that a feature must reach to be read by the risk network; None
            reads all (paper A has no selection).
        score_selection: The same for the score network (paper B, preprocessing).
        seed: Of the split, the weights, the order of batches and dropout.
    """

    risk: RiskPreset = RISK_PRESETS["paper-a"]
    score: ScorePreset = SCORE_PRESETS["paper-b"]
    split: SplitSettings = SplitSettings()
    fence_reach: float = Field(default=3.0, gt=0)
    outlying_limit: float = Field(default=0.05, ge=0, le=1)
    risk_selection: float | None = Field(default=None, ge=0, lt=1)
    score_selection: float | None = Field(default=None, ge=0, lt=1)
    seed: int = Field(default=0, ge=0, lt=2**32)


# From here on a paper's batches of 32 take minutes an epoch.
_LARGE_RECORDS, _LARGE_PERIODS = 10_000, 12


def settings_for(cohort: Cohort, *, seed: int = 0) -> TrainingSettings:
    """Choose the default settings for a cohort.

    `simulated` and `semesters` are trained as papers A and B say, `semesters` with paper B's
    feature selection (|r| of 0.1: the paper names no threshold; below it Cohen calls a correlation
    negligible). Everything else reads all features, and is tested on its latest cohort where it
    has several. Large cohorts and long histories take the `large` presets.
    """
    large = len(cohort) > _LARGE_RECORDS or cohort.contract.periods.maximum > _LARGE_PERIODS
    networks = {
        "risk": RISK_PRESETS["large" if large else "paper-a"],
        "score": SCORE_PRESETS["large" if large else "paper-b"],
    }
    named = cohort.cohorts[usable(cohort) & (cohort.cohorts != "")]
    kind: SplitKind = "stratified-80-20"
    selection = None
    if cohort.contract.name == "semesters":
        kind, selection = "stratified-70-15-15", 0.1
    elif cohort.contract.name != "simulated" and len(np.unique(named)) > 1:
        kind = "temporal"
    return TrainingSettings(
        **networks, split=SplitSettings(kind=kind), score_selection=selection, seed=seed
    )
