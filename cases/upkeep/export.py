"""Write what was recorded as the contract's table, with outcomes; treatment beside it, never in it.

`records.csv` can be trained on as it is. `treatment.csv` says which of its records had help, for
figures on untreated students; it is a file of its own so that it can never become a feature.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cases.recording.values import histories
from cases.scope import Scope
from cases.tables.events import Case, Intervention
from cases.tables.people import Enrolment
from cases.tables.records import Outcome, RecordedValue
from records.contract import Contract

_AT_ONCE = 500
_TREATMENT = ("id", "contacted", "interventions_done", "dose", "first_period", "tier_at_opening")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes:
        treated: Records with a contact or an intervention done.
    """

    records: int
    with_outcome: int
    treated: int


def export_table(
    session: Session,
    scope: Scope,
    contract: Contract,
    folder: Path,
    *,
    only_finished: bool = False,
) -> Exported:
    """Write `records.csv` and `treatment.csv`; ids are the numbers of enrolments, without meaning.

    Args:
        session: The caller's transaction.
        scope: Students that the caller may see.
        contract: Whose enrolments.
        folder: Where to write; made where it is missing.
        only_finished: Leave enrolments without a risk outcome out: what training needs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = contract.feature_names
    targets = contract.targets.score.columns
    header = ["id", "student", "cohort", "period", *names, "risk", *targets]
    records = with_outcome = treated = 0
    with ExitStack() as stack:
        tables = [
            csv.writer(stack.enter_context((folder / name).open("x", encoding="utf-8", newline="")))
            for name in ("records.csv", "treatment.csv")
        ]
        tables[0].writerow(header)
        tables[1].writerow(_TREATMENT)
        for enrolments in _enrolments(session, scope, contract.name):
            ids = [one.id for one in enrolments]
            values, outcomes = histories(session, ids), _outcomes(session, ids)
            help_given, intakes = _treatment(session, ids), _intakes(session, ids)
            for one in enrolments:
                found = outcomes.get(one.id, {})
                risk = found.get(("risk", 0))
                if one.id not in values or (only_finished and risk is None):
                    continue
                records += 1
                with_outcome += risk is not None
                for period in sorted(values[one.id]):
                    cells = [values[one.id][period].get(name) for name in names]
                    scores = [found.get((target, period)) for target in targets]
                    tables[0].writerow(
                        [
                            one.id,
                            one.student_id,
                            intakes[one.id],
                            period,
                            *(_cell(cell) for cell in cells),
                            _cell(None if risk is None else int(risk)),
                            *(_cell(score) for score in scores),
                        ]
                    )
                given = help_given.get(one.id, (0, 0, None, None, None))
                treated += bool(given[0] or given[1])
                tables[1].writerow([one.id, *(_cell(cell) for cell in given)])
    return Exported(records, with_outcome, treated)


def _enrolments(session: Session, scope: Scope, contract: str) -> Iterator[Sequence[Enrolment]]:
    last = 0
    while True:
        found = session.scalars(
            select(Enrolment)
            .where(
                Enrolment.contract == contract,
                Enrolment.id > last,
                scope.covers(Enrolment.student_id),
            )
            .order_by(Enrolment.id)
            .limit(_AT_ONCE)
        ).all()
        if not found:
            return
        yield found
        last = found[-1].id


def _outcomes(session: Session, ids: Sequence[int]) -> dict[int, dict[tuple[str, int], float]]:
    found: dict[int, dict[tuple[str, int], float]] = {}
    for one in session.scalars(select(Outcome).where(Outcome.enrolment_id.in_(ids))):
        found.setdefault(one.enrolment_id, {})[one.definition, one.period] = one.value
    return found


def _treatment(
    session: Session, ids: Sequence[int]
) -> dict[int, tuple[int, int, float | None, int | None, str | None]]:
    contacts = {
        enrolment_id: (number, tier)
        for enrolment_id, number, tier in session.execute(
            select(Case.enrolment_id, func.count(Case.first_contact_at), func.max(Case.tier))
            .where(Case.enrolment_id.in_(ids))
            .group_by(Case.enrolment_id)
        )
    }
    done = {
        enrolment_id: (number, dose, first)
        for enrolment_id, number, dose, first in session.execute(
            select(
                Case.enrolment_id,
                func.count(),
                func.sum(Intervention.dose),
                func.min(Intervention.started_period),
            )
            .join(Intervention, Intervention.case_id == Case.id)
            .where(Case.enrolment_id.in_(ids), Intervention.started_at.is_not(None))
            .group_by(Case.enrolment_id)
        )
    }
    return {
        enrolment_id: (
            int(contacted > 0),
            *done.get(enrolment_id, (0, None, None)),
            tier,
        )
        for enrolment_id, (contacted, tier) in contacts.items()
        if enrolment_id is not None
    }


def _intakes(session: Session, ids: Sequence[int]) -> dict[int, str]:
    """Return the year in which the first values of an enrolment were recorded."""
    first = func.min(RecordedValue.recorded_at)
    rows = session.execute(
        select(RecordedValue.enrolment_id, first)
        .where(RecordedValue.enrolment_id.in_(ids))
        .group_by(RecordedValue.enrolment_id)
    )
    return {enrolment_id: str(at.year) for enrolment_id, at in rows}


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else value
