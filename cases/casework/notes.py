"""Notes about students: drafts, restricted ones, revisions; every wording is sealed."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from cases.casework.events import Casebook
from cases.casework.states import CaseState, EventKind
from cases.errors import InvalidError, NotAllowedError, NotFoundError
from cases.scope import Scope
from cases.tables.events import Case
from cases.tables.notes import Note, NoteRevision
from cases.tables.people import Student
from database.base import utc_now
from database.keys import KeyRing

_MOST_CHARACTERS = 20_000


class ContactType(StrEnum):
    """How contact was made."""

    CALL = "call"
    MAIL = "mail"
    MEETING = "meeting"
    MESSAGE = "message"
    LETTER = "letter"
    CLASS = "class"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class NoteView:
    """A note with its newest wording.

    Attributes:
        restricted_by: Who restricted it; None where it is open.
        edited_at: When the newest wording was written; None for the first.
    """

    note_id: int
    case_id: int | None
    author_id: int
    made_at: datetime
    happened_on: date
    contact: str | None
    is_draft: bool
    restricted_by: int | None
    revision: int
    edited_at: datetime | None
    text: str


@dataclass(frozen=True, slots=True)
class NoteList:
    """Notes of a student, the newest first.

    Attributes:
        hidden_restricted: Restricted notes that the reader may not open: how many there are.
    """

    notes: list[NoteView]
    hidden_restricted: int


def write_note(
    session: Session,
    student_id: int,
    *,
    text: str,
    author: int,
    case_id: int | None = None,
    happened_on: date | None = None,
    contact: ContactType | None = None,
    answered: bool = True,
    draft: bool = False,
    restricted: bool = False,
    at: datetime | None = None,
) -> Note:
    """Write a note; one that records a contact counts as work on the case.

    Args:
        session: The caller's transaction.
        student_id: Whom it is about.
        text: 1 to 20,000 characters; sealed.
        author: Who writes.
        case_id: Case that it belongs to, of the same student.
        happened_on: The day that it is about; today unless given.
        contact: How contact was made, if it was.
        answered: Whether the student answered.
        draft: Only its author sees it, and it counts for nothing yet.
        restricted: Only readers with the right for restricted notes see it.
        at: When; now unless given.

    Raises:
        NotFoundError: No such student.
        NotAllowedError: The case is another student's.
        InvalidError: No text, or too much of it; a day in the future.
    """
    student = session.get(Student, student_id)
    if student is None or student.erased_at is not None:
        raise NotFoundError("There is no such student.")
    at = at or utc_now()
    _check(text, happened_on, at)
    if case_id is not None:
        case = session.get(Case, case_id)
        if case is None or case.student_id != student_id:
            raise NotAllowedError("The case belongs to another student.")
    note = Note(
        student_id=student_id,
        case_id=case_id,
        author_id=author,
        made_at=at,
        happened_on=happened_on or at.date(),
        contact=contact,
        is_draft=draft,
        restricted_by=author if restricted else None,
        revision=1,
    )
    session.add(note)
    session.flush()
    _add_revision(session, note, text, author, at)
    if not draft:
        _tell_case(session, note, answered=answered, at=at)
    return note


def revise_note(
    session: Session,
    note_id: int,
    *,
    author: int,
    text: str | None = None,
    publish: bool = False,
    restricted: bool | None = None,
    answered: bool = True,
    at: datetime | None = None,
) -> Note:
    """Write a new wording, publish a draft, or change who may read it; old wordings stay.

    Raises:
        NotFoundError: No such note, or a draft of somebody else.
        InvalidError: No text, or too much of it.
    """
    note = session.get(Note, note_id, with_for_update=True)
    if note is None or (note.is_draft and note.author_id != author):
        raise NotFoundError("There is no such note.")
    at = at or utc_now()
    if restricted is not None:
        note.restricted_by = (note.restricted_by or author) if restricted else None
    if text is not None:
        _check(text, None, at)
        note.revision += 1
        _add_revision(session, note, text, author, at)
    if publish and note.is_draft:
        note.is_draft = False
        _tell_case(session, note, answered=answered, at=at)
    return note


def notes(
    session: Session, scope: Scope, student_id: int, *, reader: int, restricted: bool = False
) -> NoteList:
    """List the notes of a student that a reader may see.

    Args:
        session: The caller's transaction.
        scope: Students that the reader may see.
        student_id: Whose notes.
        reader: Sees their own drafts.
        restricted: Whether the reader may open restricted notes of others.
    """
    visible = (
        Note.student_id == student_id,
        scope.covers(Note.student_id),
        or_(Note.is_draft.is_(False), Note.author_id == reader),
    )
    may_open = or_(Note.restricted_by.is_(None), Note.author_id == reader)
    asked = (
        select(Note, NoteRevision)
        .join(
            NoteRevision,
            (NoteRevision.note_id == Note.id) & (NoteRevision.revision == Note.revision),
        )
        .where(*visible)
        .order_by(Note.happened_on.desc(), Note.id.desc())
    )
    if not restricted:
        asked = asked.where(may_open)
    hidden = 0
    if not restricted:
        hidden = session.scalars(
            select(func.count()).select_from(Note).where(*visible, ~may_open)
        ).one()
    ring = KeyRing(session)
    found = [_view(ring, note, revision) for note, revision in session.execute(asked)]
    return NoteList(found, hidden)


def revisions(
    session: Session, scope: Scope, note_id: int, *, reader: int, restricted: bool = False
) -> list[tuple[NoteRevision, str]]:
    """Return the wordings of a note that the reader may see, the newest first."""
    note = session.scalars(
        select(Note).where(Note.id == note_id, scope.covers(Note.student_id))
    ).one_or_none()
    is_own = note is not None and note.author_id == reader
    if note is None or (note.is_draft and not is_own):
        return []
    if note.restricted_by is not None and not (restricted or is_own):
        return []
    ring = KeyRing(session)
    rows = session.scalars(
        select(NoteRevision)
        .where(NoteRevision.note_id == note_id)
        .order_by(NoteRevision.revision.desc())
    )
    return [(row, ring.open(note.student_id, row.sealed)) for row in rows]


def _check(text: str, happened_on: date | None, at: datetime) -> None:
    if not 0 < len(text.strip()) <= _MOST_CHARACTERS:
        raise InvalidError(f"A note needs 1 to {_MOST_CHARACTERS:,} characters.")
    if happened_on is not None and happened_on > at.date():
        raise InvalidError("A note is about today or an earlier day.")


def _add_revision(session: Session, note: Note, text: str, author: int, at: datetime) -> None:
    sealed = KeyRing(session).seal(note.student_id, text)
    session.add(
        NoteRevision(
            note_id=note.id, revision=note.revision, at=at, author_id=author, sealed=sealed
        )
    )
    session.flush()


def _tell_case(session: Session, note: Note, *, answered: bool, at: datetime) -> None:
    """Append to the note's case, or, for a contact, to every open case of the student."""
    cases = select(Case).where(Case.student_id == note.student_id, Case.state != CaseState.CLOSED)
    if note.case_id is not None:
        cases = cases.where(Case.id == note.case_id)
    elif note.contact is None:
        return
    book = Casebook(session)
    for case in session.scalars(cases.order_by(Case.id).with_for_update()).all():
        payload = {"note_id": note.id, "on": note.happened_on.isoformat()}
        kind = EventKind.NOTE_WRITTEN
        if note.contact is not None:
            kind = EventKind.CONTACT
            payload |= {"how": note.contact, "answered": answered, "words": ""}
        book.append(case, kind, payload, actor=note.author_id, at=at)


def _view(ring: KeyRing, note: Note, revision: NoteRevision) -> NoteView:
    return NoteView(
        note_id=note.id,
        case_id=note.case_id,
        author_id=note.author_id,
        made_at=note.made_at,
        happened_on=note.happened_on,
        contact=note.contact,
        is_draft=note.is_draft,
        restricted_by=note.restricted_by,
        revision=note.revision,
        edited_at=revision.at if note.revision > 1 else None,
        text=ring.open(note.student_id, revision.sealed) or "",
    )
