"""Score what was recorded: lease a batch, ask the scorer, commit what follows from its answer.

Three steps, and only the second one leaves the database:

1. A transaction leases some queued enrolments and reads their histories.
2. The scoring service is asked. No transaction is open meanwhile.
3. A transaction writes assessments, standings, cases and events, and removes the queue's rows.

A process that dies leaves a lease that ends; then another one repeats the work. A generation that
changed meanwhile, or a lease that another process took over, makes the answer stale: it is dropped.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cases.recording.assessing import Answered, commit_answers
from cases.recording.record import digest_of
from cases.recording.reference import recorded_reference, refresh_reference
from cases.recording.values import histories
from cases.scoring import ScoredBatch, ScorerUnavailableError, ScoringClient, StudentHistory
from cases.tables.people import Enrolment
from cases.tables.records import QueuedScore, ScoreSwitch
from database.base import utc_now
from database.store import Database
from scoring.policy.model import Policy

_LEASE = timedelta(minutes=5)
_RETRY = timedelta(seconds=2)
_LONGEST_RETRY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Progress:
    """What one call of `score_queued` did.

    Attributes:
        leased: Enrolments that it took.
        committed: Of them, those whose assessments were written.
        stale: Those whose values changed meanwhile; they are queued still.
        failed: Those that the scorer did not answer for; they are tried again later.
    """

    leased: int
    committed: int = 0
    stale: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """What waits to be scored.

    Attributes:
        oldest: Since when the first one waits.
        failing: Enrolments with a failed attempt.
    """

    waiting: int
    oldest: datetime | None
    failing: int


@dataclass(frozen=True, slots=True)
class _Leased:
    enrolment_id: int
    generation: int
    student: StudentHistory
    digest: str


def score_queued(
    database: Database,
    client: ScoringClient,
    *,
    limit: int = 256,
    now: datetime | None = None,
    lease: timedelta = _LEASE,
) -> Progress:
    """Score a batch of queued enrolments; call it until nothing is leased.

    Args:
        database: Its transactions are opened and closed here.
        client: The scoring service.
        limit: Enrolments in the batch.
        now: This moment, unless given.
        lease: How long other processes leave the batch alone.

    Raises:
        ScorerUnavailableError: Contract or policy cannot be read; nothing was leased.
    """
    moment = now or utc_now()
    contract, policy = client.contract(), client.policy()
    token = str(uuid.uuid4())
    with database.write() as session:
        leased = _lease(
            session, contract.name, token, limit=limit, now=moment, until=moment + lease
        )
        reference = recorded_reference(session, contract) if leased else None
    if not leased:
        return Progress(0)
    try:
        batch = _ask(client, policy, [one.student for one in leased], reference)
    except ScorerUnavailableError:
        with database.write() as session:
            _release(session, token, now or utc_now())
        return Progress(len(leased), failed=len(leased))
    with database.write() as session:
        valid = _claim(session, token, leased)
        answers = [
            _answered(one, valid[one.enrolment_id], batch)
            for one in leased
            if one.enrolment_id in valid
        ]
        commit_answers(session, policy, answers, now or utc_now())
        session.execute(
            delete(QueuedScore).where(
                QueuedScore.lease == token, QueuedScore.enrolment_id.in_(valid.keys())
            )
        )
    return Progress(len(leased), committed=len(answers), stale=len(leased) - len(answers))


def drain(
    database: Database, client: ScoringClient, *, limit: int = 256, now: datetime | None = None
) -> Progress:
    """Score everything that may be scored now, batch by batch; stop where the scorer is down.

    First the reference of relative features is learnt again from what was recorded.

    Raises:
        ScorerUnavailableError: Contract or policy cannot be read.
    """
    refresh_reference(database, client.contract())
    total = Progress(0)
    while True:
        done = score_queued(database, client, limit=limit, now=now)
        total = Progress(
            total.leased + done.leased,
            total.committed + done.committed,
            total.stale + done.stale,
            total.failed + done.failed,
        )
        if not done.leased or done.failed:
            return total


def queue_status(session: Session, contract: str | None = None) -> QueueStatus:
    """Tell how many enrolments wait to be scored, under one contract or all."""
    asked = select(
        func.count(), func.min(QueuedScore.queued_at), func.count().filter(QueuedScore.attempts > 0)
    ).select_from(QueuedScore)
    if contract is not None:
        asked = asked.where(QueuedScore.contract == contract)
    waiting, oldest, failing = session.execute(asked).one()
    return QueueStatus(waiting, oldest, failing)


def _ask(
    client: ScoringClient,
    policy: Policy,
    students: Sequence[StudentHistory],
    reference: Mapping[str, Any] | None,
) -> ScoredBatch | None:
    """Score the students that have values; None where none has."""
    scored = [one for one in students if one.periods]
    if not scored:
        return None
    batch = client.score(scored, reference=reference)
    if (batch.model.policy, batch.model.policy_version) != (policy.name, policy.version):
        raise ScorerUnavailableError("The scorer's policy changed while it answered.")
    return batch


def _lease(
    session: Session, contract: str, token: str, *, limit: int, now: datetime, until: datetime
) -> list[_Leased]:
    hidden = select(ScoreSwitch.contract)
    rows = session.scalars(
        select(QueuedScore)
        .where(
            QueuedScore.contract == contract,
            QueuedScore.contract.not_in(hidden),
            QueuedScore.not_before <= now,
        )
        .order_by(QueuedScore.not_before, QueuedScore.enrolment_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    ids = [row.enrolment_id for row in rows]
    for row in rows:
        row.lease, row.not_before = token, until
    generations = session.execute(
        select(Enrolment.id, Enrolment.generation).where(Enrolment.id.in_(ids))
    )
    found = {enrolment_id: generation for enrolment_id, generation in generations}  # noqa: C416
    values = histories(session, ids)
    return [
        _leased(enrolment_id, found[enrolment_id], values.get(enrolment_id, {}))
        for enrolment_id in ids
    ]


def _leased(enrolment_id: int, generation: int, values: Mapping[int, dict[str, Any]]) -> _Leased:
    periods = [{"period": period, **values[period]} for period in sorted(values)]
    student = StudentHistory(str(enrolment_id), periods)
    return _Leased(enrolment_id, generation, student, digest_of(periods))


def _release(session: Session, token: str, now: datetime) -> None:
    """Try again later: after two seconds, then four, up to five minutes."""
    rows = session.scalars(select(QueuedScore).where(QueuedScore.lease == token).with_for_update())
    for row in rows:
        row.not_before = now + min(_RETRY * 2 ** min(row.attempts, 10), _LONGEST_RETRY)
        row.attempts += 1
        row.lease = None


def _claim(session: Session, token: str, leased: list[_Leased]) -> dict[int, Enrolment]:
    """Lock the enrolments whose answers are still valid; give the stale ones back."""
    ids = sorted(one.enrolment_id for one in leased)
    enrolments = session.scalars(
        select(Enrolment)
        .where(Enrolment.id.in_(ids))
        .order_by(Enrolment.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    current = {one.id: one for one in enrolments}
    ours = session.scalars(
        select(QueuedScore).where(QueuedScore.lease == token).with_for_update()
    ).all()
    generation = {one.enrolment_id: one.generation for one in leased}
    return {
        row.enrolment_id: current[row.enrolment_id]
        for row in ours
        if current[row.enrolment_id].generation == generation[row.enrolment_id]
    }


def _answered(one: _Leased, enrolment: Enrolment, batch: ScoredBatch | None) -> Answered:
    return Answered(
        enrolment=enrolment,
        periods=one.student.periods,
        digest=one.digest,
        model=None if batch is None or not one.student.periods else batch.model,
        assessment={} if batch is None else batch.assessments.get(one.student.id, {}),
        problems=() if batch is None else batch.problems.get(one.student.id, ()),
    )
