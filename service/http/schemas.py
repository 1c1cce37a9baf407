"""What answers look like: msgspec encodes these values, pydantic documents them."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from operator import attrgetter
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from explain.reasons.types import Reasons
from explain.what_if.estimates import RecommendationEstimate
from records.errors import Fault
from scoring.assessment.assessor import Assessment


@dataclass(frozen=True, slots=True)
class ModelStamp:
    """Which model and policy an answer comes from."""

    name: Annotated[str, Field(description="Name of the training run.", examples=["simulated"])]
    version: Annotated[str, Field(description="Version of the bundle.", examples=["3f9a2c1b7d4e"])]
    contract: Annotated[str, Field(description="Name of the contract.", examples=["simulated"])]
    contract_version: Annotated[int, Field(description="Its version.", examples=[1])]
    policy: Annotated[str, Field(description="Name of the policy.", examples=["simulated"])]
    policy_version: Annotated[int, Field(description="Its version.", examples=[1])]
    tiers: Annotated[
        Literal["fixed", "capacity"],
        Field(
            description="Whether tiers begin at fixed probabilities or hold fixed shares of the "
            "calibration cohort, period by period.",
            examples=["fixed"],
        ),
    ] = "fixed"
    forecast_coverage: Annotated[
        float | None,
        Field(
            description="Share of the next scores that `low` to `high` of a forecast is to hold; "
            "null where there are no intervals. The model card says how often they did.",
            examples=[0.9],
        ),
    ] = None


@dataclass(frozen=True)
class _Identified:
    """Which student of the request is meant."""

    id: Annotated[str, Field(description="The student's id, as sent.", examples=["s-1"])]
    row: Annotated[
        int, Field(description="Position of the student in the request, from 0.", examples=[0])
    ]


@dataclass(frozen=True, slots=True)
class StudentAssessment(Assessment, _Identified):
    """What is said of one student of the request at the end of their last observed period.

    All numbers are estimates. With too little data there is no risk, tier, trajectory, forecast
    or recommendation: `observed` says how much there was.
    """


@dataclass(frozen=True, slots=True)
class ExplainedAssessment(StudentAssessment):
    """What is said of one student, with the explanations that the request asked for."""

    reasons: Annotated[
        Reasons | None,
        Field(description="What counts towards the estimate; null where there is none."),
    ] = None
    estimates: Annotated[
        tuple[RecommendationEstimate, ...] | None,
        Field(
            description="What the model would estimate if the features of recommendations reached "
            "the policy's targets, the largest reduction first; null where not asked for."
        ),
    ] = None


@dataclass(frozen=True, slots=True)
class ScoreAnswer:
    """The answer to a `score` request of which at least one student could be scored."""

    model: ModelStamp
    assessments: Annotated[
        list[ExplainedAssessment | StudentAssessment],
        Field(description="The students scored, in the request's order."),
    ]
    errors: Annotated[
        list[Fault],
        Field(description="What is wrong with the other students; empty if all were scored."),
    ]


@dataclass(frozen=True, slots=True)
class ParityFigure:
    """How far a graph lies from the Keras model that it came from, largest over all cases."""

    graph: Annotated[str, Field(description="`risk` or `score`.", examples=["risk"])]
    provider: Annotated[
        str, Field(description="Execution provider.", examples=["CPUExecutionProvider"])
    ]
    largest_difference: Annotated[
        float, Field(description="In the unit of the output.", examples=[2.4e-7])
    ]
    tolerance: Annotated[float, Field(description="What was allowed.", examples=[1e-5])]


@dataclass(frozen=True, slots=True)
class ProviderState:
    """Where the model runs."""

    asked: Annotated[str, Field(description="Provider asked for.", examples=["auto"])]
    active: Annotated[
        str, Field(description="Provider that answers.", examples=["CPUExecutionProvider"])
    ]
    strict: Annotated[bool, Field(description="Whether only the one asked for will do.")]
    threads: Annotated[
        int, Field(description="Intra-op threads of each process that has the model.", examples=[2])
    ]
    workers: Annotated[int, Field(description="Processes that answer.", examples=[1])]
    precision: Annotated[
        dict[str, str],
        Field(description="Precision that answers, by graph.", examples=[{"risk": "float32"}]),
    ]
    options: Annotated[
        dict[str, str],
        Field(
            description="Options of the provider that were set, as ONNX Runtime reports them.",
            examples=[{"use_tf32": "0"}],
        ),
    ] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is loaded, where it runs and since when."""

    model: ModelStamp
    digest: Annotated[str, Field(description="SHA-256 of the bundle.")]
    created: Annotated[datetime, Field(description="When the bundle was exported.")]
    data_fingerprint: Annotated[
        str, Field(description="Fingerprint of the records it was trained on.")
    ]
    metrics: Annotated[
        dict[str, dict[str, JsonValue]],
        Field(
            description="Figures of the networks on held-out records: `risk` at the end of each "
            "record, `score` over all periods.",
            examples=[{"risk": {"auc": 0.91}, "score": {"mae": 6.2}}],
        ),
    ]
    parity: Annotated[
        list[ParityFigure], Field(description="What the export gate measured, by graph.")
    ]
    provider: ProviderState
    versions: Annotated[
        dict[str, str], Field(description="Libraries that answer.", examples=[{"numpy": "2.4.6"}])
    ]
    loaded_at: Annotated[datetime, Field(description="Since when this worker has it, UTC.")]


_of_assessment = attrgetter(*(part.name for part in fields(Assessment)))


def of_student(name: str, row: int, assessment: Assessment) -> StudentAssessment:
    """Say whose assessment it is."""
    return StudentAssessment(name, row, *_of_assessment(assessment))


def of_explained_student(
    name: str,
    row: int,
    explained: tuple[Assessment, tuple[Reasons | None, tuple[RecommendationEstimate, ...] | None]],
) -> StudentAssessment:
    """Say whose assessment and reasons they are."""
    assessment, explanation = explained
    return ExplainedAssessment(*[name, row, *_of_assessment(assessment), *explanation])
