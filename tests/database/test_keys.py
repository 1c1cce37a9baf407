"""What is sealed for a student opens with that student's key only, and with none once destroyed."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database.keys import KeyRing
from database.store import Database

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=_JSON)
def test_what_was_sealed_opens_unchanged(database: Database, content: object) -> None:
    with database.read() as session:
        ring = KeyRing(session)
        ring.create([7])
        session.flush()
        assert KeyRing(session).open(7, ring.seal(7, content)) == content


def test_nothing_opens_after_the_key_was_destroyed(database: Database) -> None:
    with database.write() as session:
        ring = KeyRing(session)
        ring.create([1, 2])
        sealed, other = ring.seal(1, {"text": "call back"}), ring.seal(2, "still here")
        assert ring.digest(1, "a") is not None
        ring.destroy(1)
    with database.read() as session:
        ring = KeyRing(session)
        assert (ring.open(1, sealed), ring.digest(1, "a"), ring.has(1)) == (None, None, False)
        assert ring.open(2, other) == "still here"
        with pytest.raises(KeyError):
            ring.seal(1, "again")


def test_content_moved_to_another_student_is_refused(database: Database) -> None:
    with database.read() as session:
        ring = KeyRing(session)
        ring.create([1, 2])
        with pytest.raises(ValueError, match="student 2"):
            ring.open(2, ring.seal(1, "of the first"))
