"""Students, who they are, what they are enrolled in, and who looks after them."""

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base, RowId


class EnrolmentStatus(StrEnum):
    """Whether an enrolment goes on; only active ones are scored and listed."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    LEFT = "left"


class IdentityKind(StrEnum):
    """What an identity value is."""

    NAME = "name"
    EXTERNAL = "external"
    EMAIL = "email"


class Student(Base):
    """A person under a number without meaning.

    Attributes:
        objected_at: Since when the student objects to being scored; None where they do not.
        erased_at: When everything readable was removed; the row remains for the append-only events.
    """

    __tablename__ = "students"
    id: Mapped[RowId]
    created_at: Mapped[datetime]
    objected_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]


class Identity(Base):
    """A name, an e-mail address or an external id: the one table that tells who a student is.

    Attributes:
        source: System that the value comes from, such as `sis`.
        value: As shown.
        folded: Lower-case, for searching by prefix.
    """

    __tablename__ = "identities"
    __table_args__ = (
        Index("ix_identities_kind_folded", "kind", "folded"),
        Index(
            "uq_identities_external",
            "source",
            "value",
            unique=True,
            sqlite_where=text("kind = 'external'"),
            postgresql_where=text("kind = 'external'"),
        ),
    )
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    source: Mapped[str] = mapped_column(String(64))
    value: Mapped[str] = mapped_column(String(320))
    folded: Mapped[str] = mapped_column(String(320))


class Enrolment(Base):
    """A student in one course or programme under one contract: what records and scores belong to.

    Attributes:
        contract: Name of the contract.
        source: System whose records these are.
        key: That system's key of the enrolment; the student's external id where there is one
            enrolment only. Personal data: removed at erasure.
        programme: Code of the programme; rights of leads go by it.
        status_since: First day of the status.
        generation: Counts changes of the recorded values; an assessment names the one it is of.
    """

    __tablename__ = "enrolments"
    __table_args__ = (
        Index("uq_enrolments_source_key", "contract", "source", "key", unique=True),
        Index("ix_enrolments_programme", "programme", "status"),
    )
    id: Mapped[RowId]
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    contract: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(200))
    programme: Mapped[str] = mapped_column(String(64))
    year: Mapped[int | None]
    status: Mapped[str] = mapped_column(String(16), default=EnrolmentStatus.ACTIVE)
    status_since: Mapped[date]
    generation: Mapped[int] = mapped_column(default=0)


class Assignment(Base):
    """A person who looks after a student, in a role, from a day to a day.

    Attributes:
        user_id: Number of the user in the access room.
        role: Such as `tutor`, `adviser`, `coach`.
        starts_on: First day.
        ends_on: Last day; None while it lasts.
    """

    __tablename__ = "assignments"
    __table_args__ = (Index("ix_assignments_user_student", "user_id", "student_id"),)
    id: Mapped[RowId]
    student_id: Mapped[int] = mapped_column(ForeignKey("students.id"), index=True)
    user_id: Mapped[int]
    role: Mapped[str] = mapped_column(String(32))
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]
