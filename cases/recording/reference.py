"""What relative features are compared with: the present intake, as the desk has recorded it."""

from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases.recording.values import histories
from cases.tables.people import Enrolment, EnrolmentStatus
from cases.tables.records import Import, RecordedReference
from database.store import Database
from records.contract import Contract
from records.learnt.relative import Moments, RelativeLayout, learn_moments
from records.learnt.relative_reference import moments_reference
from scoring.students.intake import Intake

_AT_ONCE = 1000


def recorded_reference(session: Session, contract: Contract) -> dict[str, Any] | None:
    """Return the newest reference of recorded values, in the form of a request's `reference`.

    None where no feature is relative, or too few students were recorded: the bundle's own is used.
    """
    found = session.get(RecordedReference, contract.name)
    return None if found is None else found.content


def refresh_reference(database: Database, contract: Contract) -> bool:
    """Learn the reference again where values were recorded since; the transactions are short.

    Args:
        database: Its transactions are opened and closed here.
        contract: Whose enrolments.

    Returns:
        Whether it was learnt again.
    """
    layout = RelativeLayout.of(contract)
    if layout is None:
        return False
    with database.read() as session:
        stored = session.get(RecordedReference, contract.name)
        made, undone = session.execute(
            select(func.max(Import.made_at), func.max(Import.undone_at)).where(
                Import.contract == contract.name
            )
        ).one()
        newest = max((moment for moment in (made, undone) if moment is not None), default=None)
        if newest is None or (stored is not None and stored.made_at >= newest):
            return False
        moments, students = _learn(session, contract, layout)
    if students < layout.fewest.max():
        return False
    content = moments_reference(contract, moments).model_dump(mode="json")
    with database.write() as session:
        stored = session.get(RecordedReference, contract.name, with_for_update=True)
        if stored is None:
            stored = RecordedReference(contract=contract.name)
            session.add(stored)
        # What was recorded after this moment is not in it yet.
        stored.made_at, stored.enrolments, stored.content = newest, students, content
    return True


def _learn(session: Session, contract: Contract, layout: RelativeLayout) -> tuple[Moments, int]:
    intake, moments, students, last = Intake(contract), Moments.none(layout), 0, 0
    while True:
        ids = session.scalars(
            select(Enrolment.id)
            .where(
                Enrolment.contract == contract.name,
                Enrolment.status == EnrolmentStatus.ACTIVE,
                Enrolment.id > last,
            )
            .order_by(Enrolment.id)
            .limit(_AT_ONCE)
        ).all()
        if not ids:
            return moments, students
        last = ids[-1]
        records = [
            {"id": str(one), "periods": [{"period": at, **by[at]} for at in sorted(by)]}
            for one, by in histories(session, ids).items()
        ]
        batch = intake.read(records)
        counted = np.arange(batch.values.shape[1])[None, :] < batch.lengths[:, None]
        moments = moments.joined(learn_moments(layout, batch.values, counted))
        students += len(batch.ids)
