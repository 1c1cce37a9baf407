"""What a page may cost: queries, whatever the number of rows, and bytes."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event

from tests.desk.institution import Institution, address

# A student's page shows fourteen kinds of things from as many tables.
QUERIES = {
    "/worklist": 10,
    "/worklist?tier=high": 10,
    "/worklist/news": 3,
    "/board": 6,
    "/cohort": 10,
    "/cohort/students?tier=high": 5,
    "/students?q=a": 4,
    "/meeting?case=1&case=2&case=3&case=4": 7,
    "/students/{student}": 24,
}
BYTES = 150_000


@contextmanager
def _counted(engine: Engine) -> Iterator[list[str]]:
    """Collect the statements that read; entries of the audit trail are written apart."""
    statements: list[str] = []

    def count(_c: object, _k: object, statement: str, *_others: object) -> None:
        if statement.startswith("SELECT"):
            statements.append(statement)

    event.listen(engine, "before_cursor_execute", count)
    yield statements
    event.remove(engine, "before_cursor_execute", count)


@pytest.mark.parametrize("path", QUERIES)
def test_a_page_takes_a_bounded_number_of_queries(institution: Institution, path: str) -> None:
    with institution.running.signed_in(address("adviser")) as adviser:
        address_of = path.format(student=institution.students[0])
        adviser.get(address_of)
        with _counted(institution.running.desk.database.engine) as statements:
            assert adviser.get(address_of).status_code == 200
        assert len(statements) <= QUERIES[path], "\n\n".join(statements)


def test_a_page_with_its_files_stays_below_the_budget(institution: Institution) -> None:
    with institution.running.signed_in(address("adviser")) as adviser:
        files = ("desk.css", "desk.js", "vendor/htmx-4.0.1.min.js", "bellwether.svg")
        shared = sum(len(adviser.get(f"/static/{name}").content) for name in files)
        for path in ("/worklist", "/board", f"/students/{institution.students[0]}"):
            assert shared + len(adviser.get(path).content) < BYTES
