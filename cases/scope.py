"""Which students a caller may see, as a condition that every reading query applies in SQL."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Self

from sqlalchemy import ColumnElement, Select, false, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, aliased

from cases.tables.people import Assignment, Enrolment
from database.base import utc_now


@dataclass(frozen=True, slots=True)
class Scope:
    """The students that a caller may see: all, those of programmes, those assigned to a user.

    The kinds add up: a lead of a programme who also tutors sees both.

    Attributes:
        everyone: Whether all students are in it.
        programmes: Codes of programmes.
        user_id: User whose assigned students are in it, as long as an assignment lasts.
        students: Single students, such as by break-glass.
    """

    everyone: bool = False
    programmes: frozenset[str] = field(default_factory=frozenset)
    user_id: int | None = None
    students: frozenset[int] = field(default_factory=frozenset)

    @classmethod
    def all_students(cls) -> Self:
        """Return the scope of administrators and of the desk's own work."""
        return cls(everyone=True)

    @classmethod
    def of(
        cls,
        *,
        programmes: Iterable[str] = (),
        user_id: int | None = None,
        students: Iterable[int] = (),
    ) -> Self:
        """Return the scope of some programmes, a user's assignments and single students."""
        return cls(False, frozenset(programmes), user_id, frozenset(students))

    @classmethod
    def nobody(cls) -> Self:
        """Return the scope without students."""
        return cls()

    def covers(
        self, student_id: InstrumentedAttribute[int], today: date | None = None
    ) -> ColumnElement[bool]:
        """Return the condition that the student of a row is in the scope.

        Args:
            student_id: Column with the student's number.
            today: Day on which assignments have to last; today in UTC unless given.
        """
        if self.everyone:
            return true()
        found: list[ColumnElement[bool]] = []
        if self.programmes:
            # Under a name of its own: a query that reads enrolments itself must not be correlated.
            enrolled = aliased(Enrolment)
            found.append(
                student_id.in_(
                    select(enrolled.student_id).where(
                        enrolled.programme.in_(sorted(self.programmes))
                    )
                )
            )
        if self.user_id is not None:
            found.append(student_id.in_(assigned_to(self.user_id, today or utc_now().date())))
        if self.students:
            found.append(student_id.in_(sorted(self.students)))
        return or_(*found) if found else false()


def assigned_to(user_id: int, today: date) -> Select[int]:
    """Select the numbers of the students whose assignment to a user lasts on a day."""
    assigned = aliased(Assignment)
    return select(assigned.student_id).where(
        assigned.user_id == user_id,
        assigned.starts_on <= today,
        or_(assigned.ends_on.is_(None), assigned.ends_on >= today),
    )
