"""A real tiny run and its bundle, made once a session from simulated students.

Imports TensorFlow only where a test asks for one of them: other tests start at once.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from training.run_folder import RunFolder


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> "RunFolder":
    """A run on 300 simulated students: two epochs, since tests need real graphs, not good ones."""
    from records.load import load_cohort
    from training.settings import RISK_PRESETS, SCORE_PRESETS, Schedule, TrainingSettings
    from training.train import train

    short = {"schedule": Schedule(epochs=2, patience=1)}
    settings = TrainingSettings(
        risk=RISK_PRESETS["paper-a"].model_copy(update=short),
        score=SCORE_PRESETS["paper-b"].model_copy(update=short),
    )
    cohort = load_cohort("simulated", students=300, seed=7)
    return train(cohort, tmp_path_factory.mktemp("runs") / "tiny", settings, data="simulated")


@pytest.fixture(scope="session")
def bundle_dir(run_folder: "RunFolder", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle exported from `run_folder`. Read only: copy it before changing anything."""
    from export.export import export_run

    return export_run(run_folder, tmp_path_factory.mktemp("bundles") / "tiny")
