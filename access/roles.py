"""What each role and each service token may do, and for which students.

One table answers both questions. Pages and routes ask `permits`; queries are limited by `scope_of`, so that what a
person may not see is never read from the database.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from cases.scope import Scope


class Action(StrEnum):
    """What can be done at the desk. The values are the scopes of service tokens, too."""

    VIEW_STUDENTS = "students.view"
    EXPORT_STUDENT = "students.export"
    ERASE_STUDENT = "students.erase"
    BREAK_GLASS = "students.break_glass"
    CHANGE_CASES = "cases.change"
    WRITE_NOTES = "notes.write"
    VIEW_RESTRICTED_NOTES = "notes.restricted"
    SEND_MESSAGES = "messages.send"
    VIEW_COHORTS = "cohorts.view"
    CHANGE_ASSIGNMENTS = "assignments.change"
    RUN_IMPORTS = "imports.run"
    WRITE_RECORDS = "records.write"
    EXPORT_RECORDS = "records.export"
    VIEW_MODEL = "model.view"
    HIDE_SCORES = "model.hide"
    VIEW_POLICY = "policy.view"
    CHANGE_SETTINGS = "settings.change"
    CHANGE_PEOPLE = "people.change"
    CHANGE_TOKENS = "tokens.change"
    VIEW_AUDIT = "audit.view"
    EXPORT_AUDIT = "audit.export"
    VIEW_METRICS = "metrics.view"


class Role(StrEnum):
    """What a person is at the institution. One person can hold several roles."""

    VIEWER = "viewer"
    ADVISER = "adviser"
    LEAD = "lead"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


class Extent(StrEnum):
    """For whom a role may do something."""

    ASSIGNED = "assigned"
    """Students who are assigned to the person."""
    PROGRAMMES = "programmes"
    """Students of the grant's programme; of all programmes where the grant names none."""
    EVERYONE = "everyone"
    """All students, or nothing that concerns single students."""


_READ_MODEL: Mapping[Action, Extent] = {
    Action.VIEW_MODEL: Extent.EVERYONE,
    Action.VIEW_POLICY: Extent.EVERYONE,
}

# Administrators run the desk and see no student's page by that; a person who needs both holds two roles.
PERMISSIONS: Mapping[Role, Mapping[Action, Extent]] = MappingProxyType(
    {
        Role.VIEWER: {
            **_READ_MODEL,
            Action.VIEW_STUDENTS: Extent.PROGRAMMES,
            Action.VIEW_COHORTS: Extent.PROGRAMMES,
        },
        Role.ADVISER: {
            **_READ_MODEL,
            Action.VIEW_STUDENTS: Extent.ASSIGNED,
            Action.EXPORT_STUDENT: Extent.ASSIGNED,
            Action.BREAK_GLASS: Extent.EVERYONE,
            Action.CHANGE_CASES: Extent.ASSIGNED,
            Action.WRITE_NOTES: Extent.ASSIGNED,
            Action.VIEW_RESTRICTED_NOTES: Extent.ASSIGNED,
            Action.SEND_MESSAGES: Extent.ASSIGNED,
            Action.VIEW_COHORTS: Extent.ASSIGNED,
        },
        Role.LEAD: {
            **_READ_MODEL,
            Action.VIEW_STUDENTS: Extent.PROGRAMMES,
            Action.EXPORT_STUDENT: Extent.PROGRAMMES,
            Action.BREAK_GLASS: Extent.EVERYONE,
            Action.CHANGE_CASES: Extent.PROGRAMMES,
            Action.WRITE_NOTES: Extent.PROGRAMMES,
            Action.VIEW_RESTRICTED_NOTES: Extent.PROGRAMMES,
            Action.SEND_MESSAGES: Extent.PROGRAMMES,
            Action.VIEW_COHORTS: Extent.PROGRAMMES,
            Action.CHANGE_ASSIGNMENTS: Extent.PROGRAMMES,
            Action.HIDE_SCORES: Extent.EVERYONE,
        },
        Role.ADMINISTRATOR: {
            **_READ_MODEL,
            Action.EXPORT_STUDENT: Extent.EVERYONE,
            Action.ERASE_STUDENT: Extent.EVERYONE,
            Action.BREAK_GLASS: Extent.EVERYONE,
            Action.VIEW_COHORTS: Extent.EVERYONE,
            Action.CHANGE_ASSIGNMENTS: Extent.EVERYONE,
            Action.RUN_IMPORTS: Extent.EVERYONE,
            Action.WRITE_RECORDS: Extent.EVERYONE,
            Action.EXPORT_RECORDS: Extent.EVERYONE,
            Action.HIDE_SCORES: Extent.EVERYONE,
            Action.CHANGE_SETTINGS: Extent.EVERYONE,
            Action.CHANGE_PEOPLE: Extent.EVERYONE,
            Action.CHANGE_TOKENS: Extent.EVERYONE,
            Action.VIEW_AUDIT: Extent.EVERYONE,
            Action.VIEW_METRICS: Extent.EVERYONE,
        },
        Role.AUDITOR: {
            **_READ_MODEL,
            Action.VIEW_COHORTS: Extent.EVERYONE,
            Action.VIEW_AUDIT: Extent.EVERYONE,
            Action.EXPORT_AUDIT: Extent.EVERYONE,
        },
    }
)

# What no program may hold: it would hand out rights, or take a person's judgement as given.
PEOPLE_ONLY = frozenset(
    {
        Action.BREAK_GLASS,
        Action.CHANGE_PEOPLE,
        Action.CHANGE_TOKENS,
        Action.HIDE_SCORES,
        Action.VIEW_RESTRICTED_NOTES,
    }
)
TOKEN_SCOPES = frozenset(Action) - PEOPLE_ONLY

# What breaking the glass opens for one student: reading, no changes.
_GLASS_OPENS = frozenset({Action.VIEW_STUDENTS})


@dataclass(frozen=True)
class Grant:
    """A role that a person holds.

    Attributes:
        role: The role.
        programme: The programme that it is limited to; None for all.
    """

    role: Role
    programme: str | None = None


class Kind(StrEnum):
    """Who acts."""

    PERSON = "person"
    PROGRAM = "program"
    """A program with a service token."""
    SYSTEM = "system"
    """The desk's own scheduler, or a command on the server."""
    STUDENT = "student"
    """A student on their own page."""
    ANONYMOUS = "anonymous"
    """Somebody who has not signed in."""


@dataclass(frozen=True)
class Principal:
    """Who makes a request, with every right that the request has.

    Attributes:
        kind: A person, a program, the desk itself, a student, or not signed in.
        id: Identifier of the user or token, as text; the command's name for the system.
        name: Name to show.
        user_id: Number of the user; None for all but people.
        grants: Roles of a person in force now.
        scopes: Actions of a service token.
        programmes: Programmes that a token is limited to; None for all.
        opened: Ids of students that a person has opened by break-glass, while that lasts.
    """

    kind: Kind
    id: str
    name: str
    user_id: int | None = None
    grants: tuple[Grant, ...] = ()
    scopes: frozenset[Action] = frozenset()
    programmes: frozenset[str] | None = None
    opened: frozenset[int] = frozenset()


ANONYMOUS = Principal(Kind.ANONYMOUS, "anonymous", "Not signed in")


def system(name: str) -> Principal:
    """Name the part of the desk, or the command, that acts without a person: it may do everything."""
    return Principal(Kind.SYSTEM, name, name)


def permits(principal: Principal, action: Action) -> bool:
    """Decide whether somebody may do something at all, for whichever students."""
    if principal.kind is Kind.SYSTEM:
        return True
    if principal.kind is Kind.PROGRAM:
        return action in principal.scopes and action not in PEOPLE_ONLY
    if action in _GLASS_OPENS and principal.opened:
        return True
    return any(action in PERMISSIONS[grant.role] for grant in principal.grants)


def scope_of(principal: Principal, action: Action) -> Scope:
    """Work out for which students somebody may do something.

    Returns:
        The union over all roles that permit the action; an empty scope where none does.
    """
    if not permits(principal, action):
        return Scope.nobody()
    if principal.kind is Kind.SYSTEM:
        return Scope.all_students()
    if principal.kind is Kind.PROGRAM:
        if principal.programmes is None:
            return Scope.all_students()
        return Scope(programmes=principal.programmes)
    return _scope_of_grants(principal, action)


def roles_of(grants: Iterable[Grant]) -> list[Role]:
    """List the roles among grants, each once, in the order of `Role`."""
    held = {grant.role for grant in grants}
    return [role for role in Role if role in held]


def _scope_of_grants(principal: Principal, action: Action) -> Scope:
    everyone = False
    programmes: set[str] = set()
    user_id = None
    for grant in principal.grants:
        extent = PERMISSIONS[grant.role].get(action)
        if extent is None:
            continue
        if extent is Extent.ASSIGNED:
            user_id = principal.user_id
        elif extent is Extent.EVERYONE or grant.programme is None:
            everyone = True
        else:
            programmes.add(grant.programme)
    students: frozenset[int] = principal.opened if action in _GLASS_OPENS else frozenset()
    return Scope(everyone, frozenset(programmes), user_id, students)
