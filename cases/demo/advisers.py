"""Simulated advisers: each works on some of the open cases after every period."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from cases.casework import interventions, lifecycle
from cases.casework.notes import ContactType, write_note
from cases.casework.overrides import Verdict, give_feedback, set_override
from cases.casework.states import (
    OPEN_STATES,
    CaseOutcome,
    CaseState,
    CloseReason,
    DismissReason,
    InterventionState,
)
from cases.tables.events import Case, Intervention
from cases.tables.records import Standing
from database.store import Database

_NOTES = (
    "Called. Travels an hour each way and works in the evening; we looked at the timetable together.",
    "Short meeting after class. Wants to catch up on the two open assignments first.",
    "Answered my mail. Was ill for ten days and is back now; needs the slides of week 3.",
    "Talked about study groups. Joins the Thursday group from next week.",
    "Finds the quizzes hard to plan for. We set two reminders and a fixed hour on Mondays.",
)
_STEPS = (
    "Ask how the first two steps went.",
    "Look at the next assignment together.",
    "Check whether the extension was enough.",
)


class Advisers:
    """People who see, contact, plan, do and close.

    Args:
        database: The store.
        chance: Decides who answers, and what is done.
        users: Numbers of users.
    """

    def __init__(self, database: Database, chance: random.Random, users: Sequence[int]) -> None:
        self._database, self._chance, self._users = database, chance, users

    def work(self, at: datetime) -> None:
        """Work on about two thirds of the open cases at a moment."""
        if not self._users:
            return
        with self._database.write() as session:
            cases = session.scalars(
                select(Case).where(Case.state.in_(OPEN_STATES)).order_by(Case.id)
            ).all()
            for number, case in enumerate(cases):
                if self._chance.random() < 0.65:
                    self._take(session, case, at + timedelta(minutes=3 * number))

    def _take(self, session: Session, case: Case, at: datetime) -> None:
        user = case.owner_id or self._chance.choice(self._users)
        if case.owner_id is None and self._chance.random() < 0.7:
            lifecycle.assign(session, case.id, to=user, actor=user, at=at)
        if case.state == CaseState.NEW:
            lifecycle.mark_seen(session, case.id, actor=user, at=at)
        elif case.state == CaseState.SEEN or self._chance.random() < 0.3:
            self._contact(session, case, user, at)
        steps = session.scalars(
            select(Intervention).where(Intervention.case_id == case.id).order_by(Intervention.id)
        ).all()
        for step in steps:
            self._move(session, step, user, at)
        standing = None if case.enrolment_id is None else session.get(Standing, case.enrolment_id)
        recovered = standing is not None and standing.rank == 0
        if recovered and self._chance.random() < 0.6:
            self._close(session, case, CloseReason.RESOLVED, user, at)
        elif case.attempts >= 3 and self._chance.random() < 0.4:
            self._close(session, case, CloseReason.NO_ANSWER, user, at)
        elif self._chance.random() < 0.02 and case.enrolment_id is not None:
            self._override(session, case.enrolment_id, user, at)

    def _contact(self, session: Session, case: Case, user: int, at: datetime) -> None:
        answered = self._chance.random() < 0.55
        how = self._chance.choice((ContactType.CALL, ContactType.MAIL, ContactType.MEETING))
        if answered:
            write_note(
                session,
                case.student_id,
                text=self._chance.choice(_NOTES),
                author=user,
                case_id=case.id,
                contact=how,
                restricted=self._chance.random() < 0.05,
                at=at,
            )
            due = (at + timedelta(days=self._chance.randint(3, 14))).date()
            step = self._chance.choice(_STEPS)
            lifecycle.plan_step(session, case.id, next_step=step, due=due, actor=user, at=at)
        else:
            lifecycle.record_contact(session, case.id, how=how, answered=False, actor=user, at=at)

    def _move(self, session: Session, step: Intervention, user: int, at: datetime) -> None:
        luck = self._chance.random()
        if step.state == InterventionState.SUGGESTED:
            if luck < 0.5:
                due = (at + timedelta(days=self._chance.randint(2, 10))).date()
                interventions.plan(session, step.id, owner=user, due=due, actor=user, at=at)
            elif luck < 0.6:
                reason = self._chance.choice(
                    (DismissReason.NOT_FITTING, DismissReason.ALREADY_DONE)
                )
                interventions.dismiss(session, step.id, reason=reason, actor=user, at=at)
        elif step.state == InterventionState.PLANNED and luck < 0.6:
            interventions.start(session, step.id, actor=user, at=at)
        elif step.state == InterventionState.UNDER_WAY and luck < 0.6:
            interventions.finish(
                session,
                step.id,
                dose=float(self._chance.choice((15, 30, 45, 60))),
                answered=True,
                actor=user,
                at=at,
            )
            self._praise_rule(session, step, user)

    def _praise_rule(self, session: Session, step: Intervention, user: int) -> None:
        case = session.get_one(Case, step.case_id)
        standing = None if case.enrolment_id is None else session.get(Standing, case.enrolment_id)
        if standing is not None and self._chance.random() < 0.3:
            give_feedback(session, standing.latest_id, verdict=Verdict.HELPED, actor=user)

    def _close(
        self, session: Session, case: Case, reason: CloseReason, user: int, at: datetime
    ) -> None:
        is_better = reason is CloseReason.RESOLVED
        outcome = CaseOutcome.IMPROVED if is_better else CaseOutcome.UNKNOWN
        lifecycle.close(
            session, case.id, reason=reason, outcome=outcome, words="", actor=user, at=at
        )

    def _override(self, session: Session, enrolment_id: int, user: int, at: datetime) -> None:
        set_override(
            session,
            enrolment_id,
            tier=None,
            reason="Missed two weeks with a doctor's note; back since Monday.",
            expires_on=(at + timedelta(days=28)).date(),
            actor=user,
            at=at,
        )
