"""The decision log: what could have been recommended, how probable each was, what came of it."""

import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.tables.events import DecisionFollowUp
from database.base import utc_now


@dataclass(frozen=True, slots=True)
class Draw:
    """One recommendation drawn from candidates.

    Attributes:
        candidates: Rule ids in the order shown.
        propensities: Probability of each, unrounded; they sum to 1.
        chosen: The rule drawn.
        by: `rule`, `random` or `adaptive`.
        seed: With which it was drawn; None where there was nothing to draw.
    """

    candidates: tuple[str, ...]
    propensities: tuple[float, ...]
    chosen: str
    by: str
    seed: int | None


def draw(
    candidates: Sequence[str],
    propensities: Sequence[float] | None = None,
    *,
    seed: int | None = None,
) -> Draw:
    """Draw one of several candidates, uniformly unless probabilities are given.

    Args:
        candidates: At least one rule id.
        propensities: Probability of each.
        seed: Repeats a draw; a random one unless given.
    """
    if len(candidates) == 1:
        return Draw(tuple(candidates), (1.0,), candidates[0], "rule", None)
    seed = secrets.randbits(62) if seed is None else seed
    shares = [1 / len(candidates)] * len(candidates) if propensities is None else propensities
    # Reproducible by its seed, which is what an audit of the log needs; nothing secret hangs on it.
    chosen = random.Random(seed).choices(candidates, shares)[0]  # noqa: S311
    by = "random" if propensities is None else "adaptive"
    return Draw(tuple(candidates), tuple(shares), chosen, by, seed)


def follow_up(
    session: Session,
    decision_id: int | None,
    kind: str,
    *,
    actor: int | None,
    detail: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> None:
    """Record what happened to a decision; nothing where a person had the idea.

    Args:
        session: The caller's transaction.
        decision_id: The decision behind an intervention.
        kind: `seen`, `accepted`, `changed`, `dismissed` or `done`.
        actor: Who did it.
        detail: Codes and numbers; no free text, since it is not sealed.
        at: When; now unless given.
    """
    if decision_id is None:
        return
    session.add(
        DecisionFollowUp(
            decision_id=decision_id,
            at=at or utc_now(),
            actor_id=actor,
            kind=kind,
            detail=detail or {},
        )
    )


def note_seen(session: Session, decision_ids: Sequence[int], actor: int) -> None:
    """Record that a person was shown recommendations, once for each person and decision."""
    seen = set(
        session.scalars(
            select(DecisionFollowUp.decision_id).where(
                DecisionFollowUp.decision_id.in_(decision_ids),
                DecisionFollowUp.kind == "seen",
                DecisionFollowUp.actor_id == actor,
            )
        )
    )
    for decision_id in decision_ids:
        if decision_id not in seen:
            follow_up(session, decision_id, "seen", actor=actor)
