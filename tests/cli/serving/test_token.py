"""`bellwether token` prints a token and the line that lets the service know it."""

from typer.testing import CliRunner

from cli.main import app
from records.secret_tokens import digest
from service.auth import Scope, parse_tokens


def test_the_line_fits_the_token() -> None:
    done = CliRunner().invoke(app, ["token", "desk", "--scope", "score", "--days", "30"])
    lines = done.output.splitlines()
    (key, token), *more = parse_tokens(lines[3], "token").items()
    assert not more
    assert key == digest(lines[1])
    assert (token.name, token.scopes) == ("desk", frozenset({Scope.SCORE}))


def test_unknown_scopes_and_names_are_refused() -> None:
    assert CliRunner().invoke(app, ["token", "desk", "--scope", "all"]).exit_code == 2
    assert CliRunner().invoke(app, ["token", "the desk"]).exit_code == 1
