"""What every command does with a fault that is the caller's to mend."""

import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from cli.main import app

COMMAND = str(Path(sys.executable).with_name("bellwether"))


def _list_bundles(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *options, "bundle", "list"],
        env={**os.environ, "BENTOML_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_the_system_refuses_is_one_message_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    done = _list_bundles(tmp_path)

    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {tmp_path / 'models'}")
    assert "not a directory" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in _list_bundles(tmp_path, "--debug").stderr


def test_no_period_comes_before_the_first(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["request", str(tmp_path), "--period", "0"])

    assert done.exit_code == 2
