"""What tests of access share: a context on a real database, a moment, and people."""

import pytest

from access.keys import DeskKeys
from access.operation import AccessContext, operate
from access.people import create_user, grant_role
from access.roles import Grant, Principal, system
from access.sign_in.passwords import hash_password
from access.tables import User
from database.keys import KeyRing
from database.store import Database
from tests.access.moments import NOON, PASSWORD, MakeUser


@pytest.fixture
def keys() -> DeskKeys:
    """Keys from a fixed secret."""
    return DeskKeys.from_secret(b"a secret for tests, long enough to be one")


@pytest.fixture
def context(database: Database, keys: DeskKeys) -> AccessContext:
    """What access works with, on SQLite and on PostgreSQL."""
    return AccessContext(database, keys)


@pytest.fixture
def command() -> Principal:
    """The system itself, which may do everything."""
    return system("tests")


@pytest.fixture(scope="session")
def password_hash() -> str:
    """Hash of `PASSWORD`, made once."""
    return hash_password(PASSWORD)


@pytest.fixture
def make_user(context: AccessContext, command: Principal, password_hash: str) -> MakeUser:
    """Create a user with `PASSWORD` and roles."""

    def make(email: str = "ada@example.edu", *grants: Grant, name: str = "Ada Byron") -> User:
        with operate(context, command, NOON) as operation:
            user = create_user(operation, email, name)
            user.password = password_hash
            for grant in grants:
                grant_role(operation, user.id, grant)
            return user

    return make


@pytest.fixture
def students(database: Database) -> list[int]:
    """Numbers of students who have keys."""
    numbers = list(range(1, 9))
    with database.write() as session:
        KeyRing(session).create(numbers)
    return numbers
