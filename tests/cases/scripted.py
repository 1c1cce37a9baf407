"""A scoring client whose estimates a test decides, and a store filled by few lines."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cases.people import add_student, enrol
from cases.recording.queue import Progress, score_queued
from cases.recording.record import ImportReport, RecordRow, record
from cases.scoring import ModelStamp, ScoredBatch, ScorerUnavailableError, StudentHistory
from cases.tables.people import Enrolment
from database.store import Database
from records.contract import Contract, Feature, Periods, RiskTarget, ScoreTarget, Targets
from scoring.policy.model import Owner, Policy, Rule

CONTRACT = Contract(
    name="school",
    version=1,
    title="A school",
    periods=Periods(name="week", maximum=12),
    features=(
        Feature(
            name="mark", label="Mark", minimum=0, maximum=100, better="higher", actionable=True
        ),
        Feature(name="visits", label="Visits", minimum=0, better="higher", actionable=True),
    ),
    targets=Targets(
        risk=RiskTarget(label="Fails"), score=ScoreTarget(label="Mark", minimum=0, maximum=100)
    ),
)


def rule(name: str, **keys: Any) -> Rule:
    """A rule on marks below 50."""
    return Rule(
        id=name,
        feature="mark",
        measure="level",
        worse_than=50.0,
        recommendation=f"Do {name}.",
        message="Let us talk.",
        owner="tutor",
        due_days=5,
        effort_minutes=10,
        **keys,
    )


POLICY = Policy(
    name="school",
    version=1,
    contract="school",
    owners={"tutor": Owner(label="Tutor")},
    rules=(rule("talk"),),
)


class ScriptedScorer:
    """Answers as a scoring service does; the risk after a period is what its values give.

    Args:
        risk: Values of a period -> probability; 1 - mark / 100 unless given.
        policy: In force.
    """

    def __init__(
        self,
        risk: Callable[[Mapping[str, Any]], float] | None = None,
        policy: Policy = POLICY,
    ) -> None:
        self._risk = risk or (lambda values: round(1 - values["mark"] / 100, 6))
        self._policy = policy
        self.is_down = False
        self.asked: list[list[StudentHistory]] = []
        self.before_answering: Callable[[], object] = lambda: None

    def contract(self) -> Contract:
        return CONTRACT

    def policy(self) -> Policy:
        return self._policy

    def score(
        self,
        students: Sequence[StudentHistory],
        *,
        reference: Mapping[str, Any] | None = None,
        reasons: bool = True,
    ) -> ScoredBatch:
        del reference, reasons
        if self.is_down:
            raise ScorerUnavailableError("no answer")
        self.asked.append(list(students))
        self.before_answering()
        stamp = ModelStamp("school", "v1", "school", 1, "school", self._policy.version)
        return ScoredBatch(stamp, {one.id: self._assess(one) for one in students}, {})

    def _assess(self, student: StudentHistory) -> dict[str, Any]:
        tiers = self._policy.tiers
        risks = [self._risk(values) for values in student.periods]
        tier = next(one.name for one in reversed(tiers) if risks[-1] >= one.from_)
        advised = [] if tier == tiers[0].name else list(self._policy.rules)
        return {
            "status": "assessed",
            "risk": risks[-1],
            "tier": tier,
            "since": student.periods[-1]["period"],
            "trajectory": [
                {"period": values["period"], "risk": risk}
                for values, risk in zip(student.periods, risks, strict=True)
            ],
            "recommendations": [
                {
                    "rule": one.id,
                    "label": "Mark",
                    "recommendation": one.recommendation,
                    "owner": one.owner,
                    "due_days": one.due_days,
                }
                for one in advised
            ],
            "observed": {"periods": len(risks), "share": 1.0},
            "reference": "sent",
        }


def enrolled(database: Database, *keys: str, programme: str = "arts") -> list[Enrolment]:
    """Add students named by their keys, each with an enrolment of that key."""
    with database.write() as session:
        return [
            enrol(
                session,
                add_student(session, name=f"Student {key}", source="sis", external=key).id,
                contract="school",
                source="sis",
                key=key,
                programme=programme,
            )
            for key in keys
        ]


def marks(key: str, *values: float | None, start: int = 1) -> list[RecordRow]:
    """Rows of one enrolment, a mark a period."""
    return [
        RecordRow(key, period, {"mark": value, "visits": 3})
        for period, value in enumerate(values, start)
    ]


def record_rows(database: Database, rows: Sequence[RecordRow], **keys: Any) -> ImportReport:
    """Record rows of the source `sis` and commit."""
    with database.write() as session:
        return record(session, CONTRACT, rows, **{"source": "sis", "actor": None, **keys})


def play(
    database: Database, client: ScriptedScorer, key: str, *values: float, start: int = 1
) -> list[Progress]:
    """Record a mark a period and score after each."""
    return [
        (record_rows(database, marks(key, value, start=period)), score_queued(database, client))[1]
        for period, value in enumerate(values, start)
    ]
