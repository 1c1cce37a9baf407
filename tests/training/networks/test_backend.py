"""TensorFlow loads without a banner, and only where it is needed."""

import os
import subprocess
import sys

import pytest

from training.networks.backend import is_notice, without_notices


@pytest.mark.parametrize(
    ("line", "notice"),
    [
        ("WARNING: All log messages before absl::InitializeLog() is called are written", True),
        ("I0000 00:00:1795318183.749291 7121 port.cc:153] oneDNN custom operations", True),
        ("W0000 00:00:1795318183.749291 7121 cpu.cc:1] something", True),
        ("E0000 00:00:1795318183.749291 7121 dso.cc:1] a library is broken", False),
        ("Illegal instruction", False),
        ("", False),
    ],
)
def test_notices_are_told_from_complaints(line: str, notice: bool) -> None:
    assert is_notice(line) == notice


def test_complaints_are_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    with without_notices():
        os.write(2, b"I0000 hello\nE0000 broken\n")
    assert capfd.readouterr().err == "E0000 broken\n"


def test_loading_the_backend_prints_nothing() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import training.networks.backend"], capture_output=True, check=True
    )
    assert (loaded.stdout, loaded.stderr) == (b"", b"")


def test_only_the_networks_need_tensorflow() -> None:
    code = (
        "import sys, training.train, training.run_folder, training.settings;"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
