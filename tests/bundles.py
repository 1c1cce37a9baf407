"""A real tiny run and its bundle of simulated students, made once for all processes of a session.

Imports TensorFlow only where it is made: other tests, and other processes, start at once.
"""

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from training.run_folder import RunFolder


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """Have the first process of a parallel session make a folder; return this process's copy."""
    own = factory.mktemp(name) / name
    if "PYTEST_XDIST_WORKER" not in os.environ:
        make(own)
        return own
    common = factory.getbasetemp().parent / name
    with common.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not common.exists():
            make(common)
    return Path(shutil.copytree(common, own))


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> "RunFolder":
    """A run on 300 simulated students: two epochs, since tests need real graphs, not good ones."""
    from training.run_folder import RunFolder

    return RunFolder(made_once(tmp_path_factory, "tiny-run", _train))


def _train(folder: Path) -> None:
    from records.load import load_cohort
    from training.settings import RISK_PRESETS, SCORE_PRESETS, Schedule, TrainingSettings
    from training.train import train

    short = {"schedule": Schedule(epochs=2, patience=1)}
    settings = TrainingSettings(
        risk=RISK_PRESETS["paper-a"].model_copy(update=short),
        score=SCORE_PRESETS["paper-b"].model_copy(update=short),
    )
    cohort = load_cohort("simulated", students=300, seed=7)
    train(cohort, folder, settings, data="simulated")


@pytest.fixture(scope="session")
def bundle_dir(run_folder: "RunFolder", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle exported from `run_folder`. Read only: copy it before changing anything."""

    def export(folder: Path) -> None:
        from export.export import export_run

        export_run(run_folder, folder)

    return made_once(tmp_path_factory, "tiny-bundle", export)
