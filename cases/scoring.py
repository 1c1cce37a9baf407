"""What cases ask of the scoring service, as a protocol: the desk fulfils it over HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from records.contract import Contract
from records.errors import BellwetherError
from scoring.policy.model import Policy


class ScorerUnavailableError(BellwetherError):
    """The scoring service does not answer, or is overloaded; what was queued is tried again."""


@dataclass(frozen=True, slots=True)
class ModelStamp:
    """Which model and policy answered; see `model` in the answer of `/score`."""

    name: str
    version: str
    contract: str
    contract_version: int
    policy: str
    policy_version: int


@dataclass(frozen=True, slots=True)
class StudentHistory:
    """One enrolment's history, as `/score` takes it.

    Attributes:
        id: Number of the enrolment as text; names never reach the scoring service.
        periods: `{"period": 1, "<feature>": value, …}`, ascending.
    """

    id: str
    periods: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """The answer for some students.

    Attributes:
        assessments: Id -> assessment, as in `assessments` of the answer.
        problems: Id -> faults of a student that was refused, as in `errors` of the answer.
    """

    model: ModelStamp
    assessments: Mapping[str, Mapping[str, Any]]
    problems: Mapping[str, Sequence[Mapping[str, Any]]]


class ScoringClient(Protocol):
    """A scoring service with one model; its methods raise `ScorerUnavailableError`."""

    def contract(self) -> Contract:
        """Return the contract of the model."""
        ...

    def policy(self) -> Policy:
        """Return the policy in force."""
        ...

    def score(
        self,
        students: Sequence[StudentHistory],
        *,
        reference: Mapping[str, Any] | None = None,
        reasons: bool = True,
    ) -> ScoredBatch:
        """Score students.

        Args:
            students: At least one.
            reference: Means and standard deviations by period for relative features, in the form
                of the request's `reference`; None for the bundle's own.
            reasons: Whether to ask for reasons.
        """
        ...


def parse_answer(students: Sequence[StudentHistory], answer: Mapping[str, Any]) -> ScoredBatch:
    """Read the JSON answer of `/score` to a request for `students`.

    Args:
        students: As sent, in order: faults name the position.
        answer: The decoded body.
    """
    stamp = answer["model"]
    problems: dict[str, list[Mapping[str, Any]]] = {}
    for fault in answer.get("errors", ()):
        problems.setdefault(students[fault["row"]].id, []).append(fault)
    return ScoredBatch(
        model=ModelStamp(**{name: stamp[name] for name in ModelStamp.__dataclass_fields__}),
        assessments={one["id"]: one for one in answer["assessments"]},
        problems=problems,
    )
