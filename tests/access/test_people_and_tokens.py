"""People, tokens, break-glass, student links and the desk's secret."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from access.audit.read import Chosen, list_entries
from access.errors import (
    AccessError,
    AlreadyExistsError,
    ForbiddenError,
    SecretError,
    UnknownPersonError,
)
from access.glass import break_glass, list_openings
from access.keys import DeskKeys, load_secret
from access.operation import AccessContext, operate
from access.people import (
    create_user,
    disable_user,
    enable_user,
    find_user,
    list_people,
    remove_user,
    withdraw_role,
)
from access.roles import TOKEN_SCOPES, Action, Grant, Kind, Principal, Role, permits
from access.student_links import create_student_link, find_student_link
from access.tables import ApiToken, BrokenGlass
from access.tokens import create_token, find_token, list_tokens, revoke_token, touch_token
from tests.access.moments import MINUTE, NOON, MakeUser

_DAY = timedelta(days=1)
_REASON = "covering for a colleague who is ill"


def test_people_are_listed_with_roles_and_state(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    make_user("ada@example.edu", Grant(Role.LEAD, "law"), Grant(Role.ADVISER))
    other = make_user("bob@example.edu", name="Bob")
    with operate(context, command, NOON) as operation:
        disable_user(operation, other.id)
    with context.database.read() as session:
        ada, bob = list_people(session)
    assert ada.grants == (Grant(Role.LEAD, "law"), Grant(Role.ADVISER))
    assert (ada.is_enabled, ada.has_password, ada.has_totp) == (True, True, False)
    assert (bob.name, bob.is_enabled) == ("Bob", False)
    with operate(context, command, NOON) as operation:
        enable_user(operation, bob.id)
        withdraw_role(operation, ada.id, Grant(Role.LEAD))
        withdraw_role(operation, ada.id, Grant(Role.ADVISER))
    with context.database.read() as session:
        ada, bob = list_people(session)
    assert ada.grants == (Grant(Role.LEAD, "law"),)
    assert bob.is_enabled


@pytest.mark.parametrize(
    "email", ["", "ada", "@example.edu", "ada@", "a da@example.edu", "a" * 255 + "@b"]
)
def test_what_is_no_address_is_refused(
    context: AccessContext, command: Principal, email: str
) -> None:
    with operate(context, command, NOON) as operation, pytest.raises(AccessError):
        create_user(operation, email, "Ada")


def test_an_address_belongs_to_one_person(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    make_user()
    with operate(context, command, NOON) as operation:
        with pytest.raises(AlreadyExistsError):
            create_user(operation, "ADA@EXAMPLE.EDU", "Ada")
        with pytest.raises(AccessError):
            create_user(operation, "eve@example.edu", "  ")
        with pytest.raises(UnknownPersonError):
            disable_user(operation, 99)


def test_a_removed_person_leaves_a_number(
    context: AccessContext, command: Principal, make_user: MakeUser
) -> None:
    user = make_user("ada@example.edu", Grant(Role.LEAD))
    with operate(context, command, NOON) as operation:
        remove_user(operation, user.id)
    with context.database.read() as session:
        assert find_user(session, "ada@example.edu") is None
        (left,) = list_people(session)
        assert (left.id, left.name, left.grants, left.is_enabled) == (
            user.id,
            "Former user",
            (),
            False,
        )
    make_user("ada@example.edu")


def test_a_token_works_until_it_expires_or_is_revoked(
    context: AccessContext, command: Principal
) -> None:
    with operate(context, command, NOON) as operation:
        token, secret = create_token(operation, "Nightly export", [Action.EXPORT_RECORDS], _DAY)
        _, other = create_token(
            operation, "Law's dashboard", [Action.VIEW_COHORTS], _DAY, programmes=["law"]
        )
    with context.database.write() as session:
        use = find_token(session, secret, NOON)
        assert use is not None
        assert use.principal == Principal(
            Kind.PROGRAM, token.id, "Nightly export", scopes=frozenset({Action.EXPORT_RECORDS})
        )
        assert use.is_stale
        touch_token(session, token.id, NOON)
        again = find_token(session, secret, NOON + MINUTE / 2)
        assert again is not None
        assert not again.is_stale
        law = find_token(session, other, NOON)
        assert law is not None
        assert law.principal.programmes == frozenset({"law"})
        assert find_token(session, secret, NOON + _DAY) is None
        for wrong in ("", "bwd_", secret[:-1], secret + "x", secret.removeprefix("bwd_")):
            assert find_token(session, wrong, NOON) is None
    with operate(context, command, NOON) as operation:
        revoke_token(operation, token.id)
        with pytest.raises(UnknownPersonError):
            revoke_token(operation, "none")
    with context.database.read() as session:
        assert find_token(session, secret, NOON) is None
        assert len(list_tokens(session)) == 2


def test_a_stored_token_cannot_be_used(context: AccessContext, command: Principal) -> None:
    with operate(context, command, NOON) as operation:
        _, secret = create_token(operation, "Export", [Action.EXPORT_RECORDS], _DAY)
    assert secret.startswith("bwd_")
    with context.database.read() as session:
        stored = session.scalars(select(ApiToken)).one()
        assert secret not in repr(vars(stored))
        assert find_token(session, "bwd_" + stored.digest.hex(), NOON) is None


@pytest.mark.parametrize(
    ("name", "scopes", "days"),
    [
        (" ", [Action.VIEW_COHORTS], 1),
        ("x", [], 1),
        ("x", [Action.VIEW_COHORTS, Action.BREAK_GLASS], 1),
        ("x", [Action.CHANGE_PEOPLE], 1),
        ("x", [Action.VIEW_COHORTS], 0),
        ("x", [Action.VIEW_COHORTS], 367),
    ],
)
def test_tokens_without_purpose_or_end_or_with_rights_of_people_are_refused(
    context: AccessContext, command: Principal, name: str, scopes: list[Action], days: int
) -> None:
    with operate(context, command, NOON) as operation, pytest.raises(AccessError):
        create_token(operation, name, scopes, timedelta(days=days))


def test_a_scope_that_no_longer_exists_gives_nothing(
    context: AccessContext, command: Principal
) -> None:
    with operate(context, command, NOON) as operation:
        token, secret = create_token(operation, "Old", TOKEN_SCOPES, _DAY)
        token.scopes = ["students.teleport", Action.VIEW_MODEL]
    with context.database.read() as session:
        use = find_token(session, secret, NOON)
    assert use is not None
    assert [one for one in Action if permits(use.principal, one)] == [Action.VIEW_MODEL]


def test_glass_is_broken_with_a_reason_that_auditors_read(
    context: AccessContext, make_user: MakeUser, students: list[int]
) -> None:
    user = make_user()
    adviser = Principal(Kind.PERSON, str(user.id), "Ada", user.id, (Grant(Role.ADVISER),))
    with operate(context, adviser, NOON) as operation:
        ends = break_glass(operation, students[2], f"  {_REASON}\n ")
    assert ends == NOON + timedelta(hours=1)
    with context.database.read() as session:
        (opening,) = list_openings(session, NOON)
        assert (opening.name, opening.student_id, opening.reason) == ("Ada Byron", 3, _REASON)
        (entry,) = list_entries(session, Chosen(action="student.glass_broken", student_id=3))
        assert entry.students[0].about == {"reason": _REASON}
        assert list_openings(session, NOON + MINUTE) == []
        assert _REASON.encode() not in session.scalars(select(BrokenGlass.reason_sealed)).one()


@pytest.mark.parametrize("reason", ["", "because", "b e c a u" + " " * 90, "x" * 501])
def test_a_reason_is_neither_empty_nor_a_novel(
    context: AccessContext, make_user: MakeUser, students: list[int], reason: str
) -> None:
    user = make_user()
    adviser = Principal(Kind.PERSON, str(user.id), "Ada", user.id, (Grant(Role.ADVISER),))
    with operate(context, adviser, NOON) as operation, pytest.raises(AccessError):
        break_glass(operation, students[0], reason)


def test_viewers_and_programs_break_no_glass(
    context: AccessContext, make_user: MakeUser, students: list[int]
) -> None:
    user = make_user()
    viewer = Principal(Kind.PERSON, str(user.id), "Ada", user.id, (Grant(Role.VIEWER),))
    program = Principal(Kind.PROGRAM, "t", "Sync", scopes=frozenset(Action))
    for who in (viewer, program):
        with operate(context, who, NOON) as operation, pytest.raises(ForbiddenError):
            break_glass(operation, students[0], _REASON)


def test_no_glass_is_broken_for_a_student_who_does_not_exist(
    context: AccessContext, make_user: MakeUser
) -> None:
    user = make_user()
    adviser = Principal(Kind.PERSON, str(user.id), "Ada", user.id, (Grant(Role.ADVISER),))
    with operate(context, adviser, NOON) as operation, pytest.raises(AccessError):
        break_glass(operation, 99, _REASON)


def test_a_student_s_link_shows_one_student_until_it_expires_or_is_replaced(
    context: AccessContext, command: Principal, students: list[int]
) -> None:
    with operate(context, command, NOON) as operation:
        old = create_student_link(operation, students[0])
        new = create_student_link(operation, students[0])
        other = create_student_link(operation, students[1], _DAY)
    with context.database.read() as session:
        assert find_student_link(session, old, NOON) is None
        assert find_student_link(session, new, NOON) == 1
        assert find_student_link(session, other, NOON) == 2
        assert find_student_link(session, other, NOON + _DAY) is None


def test_a_failed_operation_leaves_no_entry(context: AccessContext, command: Principal) -> None:
    def create_two() -> None:
        with operate(context, command, NOON) as operation:
            create_user(operation, "ada@example.edu", "Ada")
            create_user(operation, "no address", "Eve")

    with pytest.raises(AccessError):
        create_two()
    with context.database.read() as session:
        assert list_entries(session, Chosen()) == []
        assert find_user(session, "ada@example.edu") is None


def test_the_desk_s_secret_is_made_once_and_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "desk.secret"
    secret = load_secret(path)
    assert load_secret(path) == secret
    assert len(secret) >= 32
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(SecretError, match="chmod 600"):
        load_secret(path)
    path.chmod(0o600)
    path.write_text("short\n")
    with pytest.raises(SecretError, match="32"):
        load_secret(path)


def test_keys_differ_by_purpose_and_secret() -> None:
    one, two = DeskKeys.from_secret(bytes(32)), DeskKeys.from_secret(bytes(31) + b"x")
    assert len({one.trail, one.accounts, one.totp, two.trail, two.accounts, two.totp}) == 6
    assert one.digest_account("pair", "a") != one.digest_account("account", "a")
    with pytest.raises(SecretError):
        DeskKeys.from_secret(bytes(31))
