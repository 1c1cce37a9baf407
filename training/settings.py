"""How to train: the papers' hyperparameters as named presets, and the settings of a whole run."""

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from evaluation.known import usable
from records.cohort import Cohort

Attention = Literal["none", "before", "after", "only"]
ScoreLoss = Literal["squared", "absolute", "huber"]
BaselineChoice = Literal["usual", "papers", "all", "none"]
Optimizer = Literal["adam", "adam-as-printed"]
SplitKind = Literal["stratified-80-20", "stratified-70-15-15", "temporal"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Schedule(_Frozen):
    """How a network is fitted: Adam, with early stopping on the validation loss."""

    optimizer: Optimizer = Field(
        default="adam",
        description="adam: Keras's; adam-as-printed: paper B's equations to the letter.",
    )
    learning_rate: float = Field(default=1e-3, gt=0)
    batch_size: int = Field(default=32, ge=1, description="Records a step.")
    epochs: int = Field(default=100, ge=1, description="At most.")
    patience: int | None = Field(
        default=6,
        ge=1,
        description="Epochs without a better validation loss that end the fit, which then takes the "
        "weights of its best epoch; None: all epochs, and the weights of the last.",
    )
    halve_after: int | None = Field(
        default=None, ge=1, description="Epochs without a better loss that halve the learning rate."
    )


class Quantiles(_Frozen):
    """How a network reads quantile-encoded features, and what it then is made of.

    Dense(ReLU) → attention, where the preset has it in front → LSTM → dropout → Dense, beside a
    straight line; the schedule is followed to its end, by AdamW on a cosine.
    """

    encoder_units: int = Field(default=48, ge=1, description="Of the ReLU layer in front.")
    intervals: int = Field(default=7, ge=1, description="Quantile intervals a feature.")
    weight_decay: float = Field(default=0.2, ge=0)
    without: tuple[str, ...] = Field(default=(), description="Features that are not read.")
    masked: tuple[str, ...] = Field(
        default=(),
        description="Features of one source, such as a click log: copies of some records, in which "
        "they are missing, teach the network to do without.",
    )
    masked_share: float = Field(default=0.15, ge=0, le=1, description="Records that are copied.")


class Distillation(Quantiles):
    """How a risk network learns from boosted trees: several members, each as `Quantiles` describes."""

    share: float = Field(default=0.85, ge=0, le=1, description="Of the teacher in the target.")
    members: int = Field(default=2, ge=1, description="Networks whose mean logit is given.")
    encoder_units: int = Field(default=32, ge=1, description="Of each member's ReLU layer.")
    early: float = Field(
        default=1.0, ge=0, description="Period t counts t to the power of minus this; 0: all alike."
    )


class NetworkPreset(_Frozen):
    """One network's hyperparameters: what is recurrent, where it attends, how it is fitted.

    Preprocessing → attention and LSTM layers → dropout → Dense(ReLU) → Dense, at every period.
    """

    name: str
    attention: Attention = Field(
        default="none",
        description="before: in front of the LSTM (paper B's best); after: behind it; only: in its "
        "place.",
    )
    heads: int = Field(default=4, ge=1, description="Of the attention.")
    key_size: int = Field(default=16, ge=1, description="Of each head: d_k.")
    residual: bool = Field(default=False, description="Whether attention adds to what it reads.")
    layers: int = Field(default=1, ge=1, description="LSTMs, or attentions where there is none.")
    units: int = Field(default=64, ge=1, description="Of each LSTM.")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Behind the last of them.")
    dense_units: int = Field(default=0, ge=0, description="Of the ReLU layer; 0 for none.")
    scaling: Literal["min-max", "z-score"] = "z-score"
    missing_indicators: bool = False
    score_loss: ScoreLoss = Field(
        default="squared", description="What a forecast is fitted by; a risk by cross-entropy."
    )
    schedule: Schedule = Schedule()
    distillation: Distillation | None = Field(
        default=None, description="Of a risk network that boosted trees teach."
    )
    quantiles: Quantiles | None = Field(
        default=None, description="Of a score network on quantile-encoded features."
    )

    @model_validator(mode="after")
    def _heads_are_computed_right(self) -> Self:
        # Keras's `add` takes a bias (heads, 1) for one of the periods where these are as many as
        # the heads (since keras-team/keras#20386): it would learn what the exported graph is not.
        if self.attention != "none" and self.heads > 1 and self.key_size == 1:
            raise ValueError(
                f"{self.heads} heads of one column each: Keras adds their biases to periods where "
                "there are as many; set key_size to 2 or more, or heads to 1"
            )
        return self


_LARGE = Schedule(batch_size=256, epochs=60, patience=5)


def _papers(name: str, **hyperparameters: Any) -> NetworkPreset:
    return NetworkPreset(name=name, **hyperparameters)


def _large(name: str, **hyperparameters: Any) -> NetworkPreset:
    """Serve tens of thousands of long, gappy histories, departing from the papers.

    Missing-value indicators, a residual around the attention, larger batches, less patience.
    """
    attends = hyperparameters.get("attention", "none") != "none"
    return NetworkPreset(
        name=name,
        **{**hyperparameters, "residual": attends, "scaling": "z-score"},
        missing_indicators=True,
        schedule=_LARGE,
    )


# What the networks of the papers are made of. Batch size, patience, paper A's alternatives and
# paper B's heads and layer sizes are not in the papers; the defaults above fill in.
_ARCHITECTURES: Mapping[str, Mapping[str, Any]] = {
    "lstm": {},
    "stacked-lstm": {"layers": 2},
    "attention-lstm": {"attention": "before"},
    "lstm-attention": {"attention": "after"},
    # Attention alone knows no order: the residual tells it which period is its own.
    "self-attention": {"attention": "only", "residual": True},
}
ARCHITECTURES = tuple(_ARCHITECTURES)
# Paper A: LSTM(64) → Dropout(0.2) → Dense(1, sigmoid), min-max. Paper B: … → Dense(ReLU) →
# Dense(1), z-scores.
_RISK_BODY: Mapping[str, Any] = {"dropout": 0.2, "scaling": "min-max"}
_SCORE_BODY: Mapping[str, Any] = {"dense_units": 32, "scaling": "z-score"}
# Paper B's baseline is an LSTM alone, for 100 epochs (papers.md, B.5).
_PAPER_B_LSTM: Mapping[str, Any] = {"dense_units": 0, "schedule": Schedule(patience=None)}
SIZES = ("papers", "large")
# The names of the two networks that the papers propose, and of their large versions.
_NAMED = {
    ("risk", "lstm", "papers"): "paper-a",
    ("risk", "lstm", "large"): "large",
    ("score", "attention-lstm", "papers"): "paper-b",
    ("score", "attention-lstm", "large"): "large",
}


def _presets(target: str, body: Mapping[str, Any]) -> dict[tuple[str, str], NetworkPreset]:
    presets = {}
    for architecture, layers in _ARCHITECTURES.items():
        for size, make in zip(SIZES, (_papers, _large), strict=True):
            plain = architecture if size == "papers" else f"{architecture}-{size}"
            name = _NAMED.get((target, architecture, size), plain)
            presets[architecture, size] = make(name, **{**body, **layers})
    return presets


# (architecture, size) -> hyperparameters.
RISK_NETWORKS = _presets("risk", _RISK_BODY)
SCORE_NETWORKS = _presets("score", _SCORE_BODY)
SCORE_NETWORKS["lstm", "papers"] = SCORE_NETWORKS["lstm", "papers"].model_copy(
    update=dict(_PAPER_B_LSTM)
)
# Paper B prints Adam with epsilon inside the root and without bias correction.
PRINTED_ADAM = SCORE_NETWORKS["attention-lstm", "papers"].model_copy(
    update={"name": "paper-b-printed-adam", "schedule": Schedule(optimizer="adam-as-printed")}
)
# The click log of the Open University: some modules and institutions have none.
_CLICK_LOG = (
    *("clicks", "clicks_material", "clicks_forum", "clicks_practice", "clicks_home"),
    *("clicks_before", "active_days", "days_since_click", "sites", "new_sites"),
    *("standing_clicks", "standing_active_days", "standing_sites", "standing_practice"),
    *("standing_offline", "standing_clicks_before"),
)
# How it was chosen: docs/models.md.
DISTILLED = NetworkPreset(
    name="distilled",
    units=48,
    dropout=0.2,
    schedule=Schedule(learning_rate=3e-3, batch_size=256, epochs=15),
    distillation=Distillation(masked=_CLICK_LOG),
)
# Trees taught a score network nothing: its targets are no single draws.
QUANTILE = NetworkPreset(
    name="quantile",
    attention="before",
    residual=True,
    units=64,
    dropout=0.2,
    score_loss="huber",
    schedule=Schedule(learning_rate=3e-3, batch_size=256, epochs=20),
    quantiles=Quantiles(masked=_CLICK_LOG),
)
# Where records are many, an epoch is long and what there is to learn is learnt sooner.
QUANTILE_MANY = QUANTILE.model_copy(
    update={
        "name": "quantile-many",
        "dropout": 0.3,
        "schedule": Schedule(learning_rate=2e-3, batch_size=256, epochs=8),
        "quantiles": Quantiles(weight_decay=0.4, masked=_CLICK_LOG),
    }
)
# Between the squared error, which a few collapses rule, and the absolute one, which forgets them.
HUBER = SCORE_NETWORKS["attention-lstm", "large"].model_copy(
    update={
        "name": "huber",
        "score_loss": "huber",
        "dropout": 0.2,
        "schedule": _LARGE.model_copy(update={"halve_after": 2}),
    }
)
# For simulated students: as good as paper B's there, at half of the cost; docs/models.md.
SMALL = SCORE_NETWORKS["attention-lstm", "papers"].model_copy(
    update={
        "name": "small",
        "heads": 1,
        "residual": True,
        "units": 24,
        "dense_units": 16,
        "schedule": Schedule(learning_rate=3e-3, patience=8, halve_after=3),
    }
)
RISK_PRESETS = {preset.name: preset for preset in (*RISK_NETWORKS.values(), DISTILLED)}
SCORE_PRESETS = {
    preset.name: preset
    for preset in (*SCORE_NETWORKS.values(), PRINTED_ADAM, SMALL, HUBER, QUANTILE, QUANTILE_MANY)
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
            outside the fences; where there are more, none is removed, see `training.data.outliers`.
        risk_selection: Pearson |r| that a feature must reach to be read by the risk network; None
            reads all (paper A has no selection).
        score_selection: The same for the score network (paper B, preprocessing).
        baselines: What stands beside the networks: naive rows and boosting (`usual`), those and
            the papers' baselines, every model of the registry that is no network, or nothing.
        calibrate: Whether the risk network's probabilities are calibrated on held-out records.
        seed: Of the split, the weights, the order of batches and dropout.
    """

    baselines: BaselineChoice = "usual"
    risk: NetworkPreset = RISK_PRESETS["paper-a"]
    score: NetworkPreset = SCORE_PRESETS["paper-b"]
    split: SplitSettings = SplitSettings()
    fence_reach: float = Field(default=3.0, gt=0)
    outlying_limit: float = Field(default=0.05, ge=0, le=1)
    risk_selection: float | None = Field(default=None, ge=0, lt=1)
    score_selection: float | None = Field(default=None, ge=0, lt=1)
    calibrate: bool = True
    seed: int = Field(default=0, ge=0, lt=2**32)


# From here on a paper's batches of 32 take minutes an epoch.
_LARGE_RECORDS, _LARGE_PERIODS = 10_000, 12
_MANY_RECORDS = 30_000


def settings_for(cohort: Cohort, *, seed: int = 0) -> TrainingSettings:
    """Choose the default settings for a cohort.

    `simulated` is trained as in paper A, its score by a smaller network than paper B's;
    `semesters` as in paper B, with its feature selection (|r| of 0.1: the paper names no
    threshold; below it Cohen calls a correlation negligible). Everything else reads all features,
    and is tested on its latest cohort where it has several. Large cohorts and long histories take
    the preset `large` for the risk, and one that reads quantile-encoded features for the score;
    boosted trees teach the risk network of `oulad`.
    """
    large = len(cohort) > _LARGE_RECORDS or cohort.contract.periods.maximum > _LARGE_PERIODS
    networks = {
        "risk": RISK_PRESETS["large" if large else "paper-a"],
        "score": SCORE_PRESETS["quantile" if large else "paper-b"],
    }
    if cohort.contract.name == "simulated" and not large:
        networks["score"] = SMALL
    if cohort.contract.name == "oulad" and len(cohort) > _LARGE_RECORDS:
        networks["risk"] = DISTILLED
    if len(cohort) > _MANY_RECORDS:
        networks["score"] = QUANTILE_MANY
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
