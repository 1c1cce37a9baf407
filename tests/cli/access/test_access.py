"""`bellwether access` on a real database: people get in, tokens work, the trail is verified."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner, Result

from access.errors import UnknownPersonError
from access.keys import DeskKeys, load_secret
from access.operation import AccessContext
from access.roles import Action, Grant, Role
from access.sessions import find_session
from access.sign_in.flow import SignIn, Started
from access.sign_in.throttle import Browser
from access.tokens import find_token
from cli.main import app
from database.base import utc_now
from database.store import Database, StoreError, open_database

Run = Callable[..., Result]
_BROWSER = Browser("192.0.2.7")
_PASSWORD = "three otters under the bridge"  # noqa: S105


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    return tmp_path / "secret"


@pytest.fixture
def run(database_url: str, secret_file: Path) -> Run:
    """Run a command on the database of the test."""

    def run(*arguments: str | Path, code: int = 0) -> Result:
        options = ["--database", database_url, "--secret-file", str(secret_file)]
        options += ["--origin", "https://desk.example.edu", "--base-path", "/bw"]
        done = CliRunner().invoke(app, ["access", *options, *map(str, arguments)])
        assert done.exit_code == code, (done.output, done.exception)
        return done

    return run


@pytest.fixture
def context(database: Database, secret_file: Path) -> AccessContext:
    return AccessContext(database, DeskKeys.from_secret(load_secret(secret_file)))


def _secret_of(done: Result) -> str:
    found = re.search(r"https://desk\.example\.edu/bw/sign-in/link/([\w-]{43})\n", done.output)
    assert found is not None, done.output
    return found[1]


def test_a_person_is_created_with_roles_and_gets_in_by_the_printed_link(
    run: Run, context: AccessContext
) -> None:
    done = run(
        *("create-user", "Ada@example.edu", "--name", "Ada"),
        *("--role", "adviser", "--role", "lead:law"),
    )
    started = SignIn(context).with_link(_secret_of(done), _BROWSER)
    with context.database.read() as session:
        found = find_session(session, started.cookie, context.sessions, utc_now())
    assert found is not None
    assert set(found.principal.grants) == {Grant(Role.ADVISER), Grant(Role.LEAD, "law")}
    assert "adviser, lead:law" in " ".join(run("people").output.split())


def test_roles_and_access_are_changed(run: Run, context: AccessContext) -> None:
    run("create-user", "ada@example.edu", "--name", "Ada")
    run("grant", "ada@example.edu", "viewer:law")
    run("grant", "ada@example.edu", "auditor")
    run("withdraw", "ada@example.edu", "viewer:law")
    started = SignIn(context).with_link(_secret_of(run("link", "ada@example.edu")), _BROWSER)

    def grants() -> tuple[Grant, ...] | None:
        with context.database.read() as session:
            found = find_session(session, started.cookie, context.sessions, utc_now())
        return found.principal.grants if found else None

    assert grants() == (Grant(Role.AUDITOR),)
    run("disable", "ada@example.edu")
    assert grants() is None
    run("enable", "ada@example.edu")
    assert grants() is None


def test_a_password_is_set_on_the_terminal(run: Run, context: AccessContext) -> None:
    run("create-user", "ada@example.edu", "--name", "Ada")
    run("password", "ada@example.edu", "--new-password", _PASSWORD)
    run("forget-totp", "ada@example.edu")
    started = SignIn(context).with_password("ada@example.edu", _PASSWORD, _BROWSER)
    assert isinstance(started, Started)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_mistakes_are_refused(run: Run) -> None:
    done = run("create-user", "ada@example.edu", "--name", "Ada", "--role", "king", code=2)
    assert "'king' is no role" in done.output
    for command in (("link", "eve@example.edu"), ("grant", "eve@example.edu", "viewer")):
        assert isinstance(run(*command, code=1).exception, UnknownPersonError)
    assert (
        "students.break_glass"
        in run("create-token", "x", "--scope", "students.break_glass", code=2).output
    )


def test_a_token_works_until_it_is_revoked(run: Run, context: AccessContext) -> None:
    done = run("create-token", "Nightly", "--scope", "records.export", "--programme", "law")
    token_id, secret = done.output.split("\n")[0].split()[1].rstrip(","), done.output.split()[-1]
    with context.database.read() as session:
        use = find_token(session, secret, utc_now())
    assert use is not None
    assert use.principal.scopes == {Action.EXPORT_RECORDS}
    assert secret not in run("tokens").output
    run("revoke-token", token_id)
    with context.database.read() as session:
        assert find_token(session, secret, utc_now()) is None


def test_the_trail_verifies_and_tampering_gives_exit_code_1(
    run: Run, context: AccessContext
) -> None:
    run("create-user", "ada@example.edu", "--name", "Ada", "--role", "lead")
    done = run("verify")
    assert "3 entries, valid" in done.output
    head = done.output.split()[-1]
    run("grant", "ada@example.edu", "viewer")
    run("verify", "--expect", head)
    with context.database.write() as session:
        is_sqlite = context.database.is_sqlite
        trigger = "no_change" if is_sqlite else "append_only ON audit_entries"
        session.execute(text(f"DROP TRIGGER audit_entries_{trigger}"))
        session.execute(text("UPDATE audit_entries SET actor = 'x' WHERE seq = 2"))
    done = run("verify", code=1)
    assert "entry 2: its content does not agree with its hash" in done.output
    assert "NOT valid" in done.output
    run("verify", "--expect", "3:" + "0" * 64, code=1)
    run("verify", "--expect", "three", code=2)
    run("prune", "--keep-days", "200", code=1)


def test_an_exported_trail_verifies_without_the_desk(
    run: Run, secret_file: Path, tmp_path: Path
) -> None:
    run("create-user", "ada@example.edu", "--name", "Ada")
    file = tmp_path / "trail.jsonl"
    head = run("export", file).output.split()[-1]
    assert "valid. The" in run("verify", "--file", file, "--expect", head).output
    run("prune", "--keep-days", "200")
    secret_file.unlink()
    assert "seals not checked" in run("verify", "--file", file).output
    lines = file.read_text().splitlines()
    changed = json.loads(lines[1]) | {"action": "user.removed"}
    file.write_text("\n".join([lines[0], json.dumps(changed), *lines[2:]]))
    run("verify", "--file", file, code=1)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_file_is_never_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "trail.jsonl").write_text("mine")
    assert isinstance(run("export", tmp_path / "trail.jsonl", code=1).exception, FileExistsError)
    assert (tmp_path / "trail.jsonl").read_text() == "mine"


def test_a_database_that_is_none_of_the_desk_s_is_a_message(tmp_path: Path) -> None:
    missing = f"sqlite:///{tmp_path}/missing.db"
    done = CliRunner().invoke(app, ["access", "--database", missing, "people"])
    assert isinstance(done.exception, StoreError)
    assert not (tmp_path / "missing.db").exists()
    with closing(open_database(f"sqlite:///{tmp_path}/empty.db")) as database:
        with database.write() as session:
            session.execute(text("CREATE TABLE other (id INTEGER)"))
        done = CliRunner().invoke(app, ["access", "--database", str(database.engine.url), "people"])
    assert "another version" in str(done.exception)


def test_the_command_starts_without_the_desk_s_libraries() -> None:
    """Other commands must not wait for SQLAlchemy."""
    code = "import sys, cli.main; sys.exit('sqlalchemy' in sys.modules or 'argon2' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)
