"""A past presentation, replayed week by week through the real service.

Whatever the network reads of a student must be in a request of that week, and give the probability
that training had. `tests/records/sources/test_oulad_cutoffs.py` proves the other half: what the
records say of a week needs nothing that happened after it.
"""

from pathlib import Path

import httpx
import numpy as np
import pytest

from export.export import export_run
from records.sources.oulad import load_oulad
from scoring.intake import students_of
from tests.service.running import environment, serving
from training.run_folder import RunFolder
from training.settings import DISTILLED, SCORE_PRESETS, Schedule, SplitSettings, TrainingSettings
from training.train import train

STUDENTS_A_PRESENTATION = 150


@pytest.fixture(scope="module")
def past(oulad_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run with the distilled network on a few students of each real presentation."""
    cohort = load_oulad(oulad_dir)
    random = np.random.default_rng(4)
    rows = [
        random.choice(
            np.flatnonzero(cohort.cohorts == name), STUDENTS_A_PRESENTATION, replace=False
        )
        for name in np.unique(cohort.cohorts)
    ]
    # Those with other enrolments are where a request could know less than training did.
    others = cohort.values[:, 10, cohort.contract.feature_names.index("other_running")] > 0
    rows.append(random.choice(np.flatnonzero(others & (cohort.cohorts == "2014B")), 30))
    brief = Schedule(batch_size=128, epochs=2)
    settings = TrainingSettings(
        risk=DISTILLED.model_copy(update={"units": 8, "schedule": brief}),
        score=SCORE_PRESETS["large"].model_copy(update={"units": 8, "schedule": brief}),
        split=SplitSettings(kind="temporal", test_cohorts=("2014B",)),
        baselines="none",
    )
    some = cohort.take(np.unique(np.concatenate(rows)))
    return train(some, tmp_path_factory.mktemp("replay") / "run", settings, data="oulad")


def test_the_service_gives_in_each_week_what_training_gave(past: RunFolder, tmp_path: Path) -> None:
    bundle = export_run(past, tmp_path / "bundle")
    heldout, said = past.heldout(), past.predictions("risk")
    trained = {
        (name, int(period)): float(risk)
        for name, period, risk in zip(said.ids, said.periods, said.models["network"], strict=True)
    }
    served: dict[tuple[str, int], float] = {}
    unanswered: set[tuple[str, int]] = set()
    with serving(tmp_path, environment(tmp_path, bundle=bundle, threads="1")) as running:
        for week in range(1, int(heldout.lengths.max()) + 1):
            known = heldout.at(week)
            there = known.take(known.lengths == week)
            answer = httpx.post(
                f"{running.url}/score", json={"students": students_of(there)}, timeout=30
            ).json()
            assert answer["errors"] == []
            for one in answer["assessments"]:
                if one["status"] == "assessed":
                    served[one["id"], week] = one["risk"]
                else:
                    # The policy says nothing on so little data: no probability, not another one.
                    assert one["status"] == "not_enough_data"
                    assert one["risk"] is None
                    unanswered.add((one["id"], week))
    assert len(trained) > 2000
    assert set(trained) <= set(served) | unanswered
    differences = [abs(served[step] - trained[step]) for step in set(trained) & set(served)]
    assert len(differences) > 0.9 * len(trained)
    assert max(differences) <= 1e-5
    assert np.std(list(trained.values())) > 0.05
