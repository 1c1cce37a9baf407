"""A past presentation, replayed week by week through the real service.

Whatever the network reads of a student must be in a request of that week, or be computed by the
service from what was known in that week, and give the probability that training had.
`tests/records/sources/test_oulad_cutoffs.py` proves the other half: what the records say of a week
needs nothing that happened after it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from cli.main import app
from export.export import export_run
from records.cohort import Cohort
from records.learnt.relative import RelativeLayout, fill_relatives, without_relatives
from records.learnt.relative_reference import learn_relatives
from records.sources.oulad import load_oulad
from records.tables.read_write import write_table
from scoring.students.writing import students_of
from service.responder import Responder
from service.settings import Settings
from tests.service.running import Running, environment, serving
from training.run_folder import RunFolder
from training.settings import DISTILLED, SCORE_PRESETS, Schedule, SplitSettings, TrainingSettings
from training.train import train

STUDENTS_A_PRESENTATION = 150
LATEST = "2014B"
# One module's classmates fit into a request.
MODULE = "GGG"
Risks = dict[tuple[str, int], float]


@pytest.fixture(scope="module")
def records(oulad_dir: Path) -> Cohort:
    """Everybody."""
    return load_oulad(oulad_dir)


@pytest.fixture(scope="module")
def past(records: Cohort, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run with the distilled network on a few students of each real presentation."""
    random = np.random.default_rng(4)
    rows = [
        random.choice(
            np.flatnonzero(records.cohorts == name), STUDENTS_A_PRESENTATION, replace=False
        )
        for name in np.unique(records.cohorts)
    ]
    # Those with other enrolments are where a request could know less than training did.
    others = records.values[:, 10, records.contract.feature_names.index("other_running")] > 0
    rows.append(random.choice(np.flatnonzero(others & (records.cohorts == LATEST)), 30))
    brief = Schedule(batch_size=128, epochs=2)
    settings = TrainingSettings(
        risk=DISTILLED.model_copy(update={"units": 8, "schedule": brief}),
        score=SCORE_PRESETS["large"].model_copy(update={"units": 8, "schedule": brief}),
        split=SplitSettings(kind="temporal", test_cohorts=(LATEST,)),
        baselines="none",
    )
    some = records.take(np.unique(np.concatenate(rows)))
    return train(some, tmp_path_factory.mktemp("replay") / "run", settings, data="oulad")


@pytest.fixture(scope="module")
def bundle(past: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is served."""
    return export_run(past, tmp_path_factory.mktemp("replayed") / "bundle")


@pytest.fixture(scope="module")
def running(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The real service."""
    folder = tmp_path_factory.mktemp("serving")
    with serving(folder, environment(folder, bundle=bundle, threads="1")) as server:
        yield server


@pytest.fixture(scope="module")
def trained(past: RunFolder) -> Risks:
    """What training gave, by student and week."""
    said = past.predictions("risk")
    return {
        (name, int(period)): float(risk)
        for name, period, risk in zip(said.ids, said.periods, said.models["network"], strict=True)
    }


def ask(running: Running, students: list[dict[str, Any]], **more: object) -> dict[str, Any]:
    body = msgspec.json.encode({"students": students, "recommendations": False, **more})
    answer: dict[str, Any] = httpx.post(f"{running.url}/score", content=body, timeout=60).json()
    assert answer["errors"] == []
    return answer


def of_latest(records: Cohort) -> Cohort:
    return records.take(np.flatnonzero(records.cohorts == LATEST))


def replay(past: RunFolder, running: Running, weeks: range, *, presented: Cohort | None) -> Risks:
    """Ask in each week; NaN for a probability where the policy wants more data.

    Standings are sent, or left out and a reference sent that is made from `presented`.
    """
    heldout, served = past.heldout(), Risks()
    for week in weeks:
        known = heldout.at(week)
        there = known.take(known.lengths == week)
        reference: Any = "sent"
        if presented is not None:
            there = without_relatives(there)
            found = learn_relatives(presented.at(week))
            assert found is not None
            reference = found.model_dump(mode="json")
        for one in ask(running, students_of(there), reference=reference)["assessments"]:
            assert one["reference"] == ("request" if presented else "sent")
            if one["status"] == "assessed":
                served[one["id"], week] = one["risk"]
            else:
                # The policy says nothing on so little data: no probability, not another one.
                assert one["status"] == "not_enough_data"
                assert one["risk"] is None
                served[one["id"], week] = np.nan
    return served


def agree(trained: Risks, served: Risks) -> None:
    assert len(trained) > 800
    assert set(trained) <= set(served)
    differences = np.array([abs(served[step] - trained[step]) for step in trained])
    known = ~np.isnan(differences)
    assert known.mean() > 0.9
    assert differences[known].max() <= 1e-5
    assert np.std(list(trained.values())) > 0.05


def test_standings_that_are_sent_give_in_each_week_what_training_gave(
    past: RunFolder, running: Running, trained: Risks
) -> None:
    weeks = range(1, max(week for _, week in trained) + 1)
    agree(trained, replay(past, running, weeks, presented=None))


def test_the_service_computes_standings_from_a_reference_as_training_did(
    past: RunFolder, running: Running, records: Cohort, trained: Risks
) -> None:
    weeks = range(1, max(week for _, week in trained) + 1, 3)
    expected = {step: risk for step, risk in trained.items() if step[1] in weeks}
    agree(expected, replay(past, running, weeks, presented=of_latest(records)))


def classmates(records: Cohort, week: int) -> Cohort:
    """Return who studied the module, up to the last week at whose end they were still there."""
    presented = of_latest(records)
    of_module = np.array([name.startswith(MODULE) for name in presented.ids])
    known = without_relatives(presented.take(of_module)).at(week)
    weeks = np.arange(1, known.eligible.shape[1] + 1)
    there = np.flatnonzero(known.eligible.any(axis=1))
    last = (known.eligible * weeks).max(axis=1).astype(np.int32)
    values = np.where((weeks <= last[:, None])[:, :, None], known.values, np.float32(np.nan))
    eligible = known.eligible & (weeks <= last[:, None])
    return Cohort(
        **{
            name: getattr(known, name)
            for name in ("contract", "ids", "students", "cohorts", "risk", "score", "audit")
        },
        values=values,
        eligible=eligible,
        lengths=last,
    ).take(there)


@pytest.mark.parametrize("week", [3, 12, 25])
def test_the_students_of_a_request_are_a_reference_of_their_own(
    records: Cohort, running: Running, trained: Risks, week: int
) -> None:
    everyone = classmates(records, week)
    layout = RelativeLayout.of(records.contract)
    assert layout is not None
    wanted = {name for name, at in trained if at == week and name.startswith(MODULE)}
    assert len(wanted) >= 5
    # Of those who are not looked at, only what they are compared by.
    needed = {"id", "period", "module"}
    needed |= {records.contract.feature_names[at] for at in layout.bases}
    students = [
        one
        if one["id"] in wanted
        else {
            "id": one["id"],
            "periods": [
                {name: value for name, value in period.items() if name in needed}
                for period in one["periods"]
            ],
        }
        for one in students_of(everyone)
    ]
    answer = ask(running, students, reference="batch", forecast=False)
    found = {one["id"]: one for one in answer["assessments"]}
    assert len(found) == len(everyone) > 500  # many slices
    assert {one["reference"] for one in found.values()} == {"batch"}
    known = [name for name in wanted if found[name]["risk"] is not None]
    assert len(known) >= 5
    for name in known:
        assert found[name]["risk"] == pytest.approx(trained[name, week], abs=1e-5)


def test_without_a_word_the_bundle_is_the_reference(
    past: RunFolder, running: Running, bundle: Path
) -> None:
    responder = Responder(bundle, Settings(threads=1))
    reference = responder.bundle.reference.relative
    layout = RelativeLayout.of(past.contract)
    assert reference is not None
    assert layout is not None
    assert {one.cohort for one in reference.features["standing_credits"].values()} == {"2013J"}
    bare = without_relatives(past.heldout().at(10))
    students = students_of(bare.take(bare.lengths == 10))[:20]
    values, filled = fill_relatives(
        bare.take(bare.lengths == 10).values[:20], reference.moments(layout)
    )
    assert filled.any()
    expected = responder._scorer.score(values, np.full(20, 10, np.int32)).risk[:, 9]
    answer = ask(running, students)["assessments"]
    assert {one["reference"] for one in answer} == {"bundle"}
    np.testing.assert_allclose([one["risk"] for one in answer], expected, atol=1e-6)
    # Together with other requests, and as Python objects, the answers are the same.
    kept = reference.model_dump(mode="json")
    bodies = [
        msgspec.json.encode({"students": students, "recommendations": False, **more})
        for more in ({}, {"reference": kept}, {"reference": "sent"}, {})
    ]
    together = responder.answer([responder.read(body) for body in bodies]).bodies
    first, sent_along, missing, last = (json.loads(body)["assessments"] for body in together)
    assert first == last == answer
    assert [one["risk"] for one in sent_along] == [one["risk"] for one in first]
    assert {one["reference"] for one in sent_along} == {"request"}
    assert {one["reference"] for one in missing} == {"sent"}
    assert [one["risk"] for one in missing] != [one["risk"] for one in first]
    said = responder.score_students(students, False, True, kept).assessments
    assert [one.risk for one in said] == [one["risk"] for one in first]
    assert {one.reference for one in said} == {"request"}


@pytest.mark.parametrize(
    "wrong",
    ["mine", 7, None, {"contract": "oulad"}, {"contract": "oulad", "features": {"clicks": {}}}],
)
def test_a_reference_that_cannot_be_one_is_refused(
    past: RunFolder, running: Running, wrong: object
) -> None:
    students = students_of(past.heldout().at(5).take([0]))
    body = {"students": students, "reference": wrong}
    answer = httpx.post(f"{running.url}/score", json=body, timeout=30)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["reference"]


def test_a_table_is_its_own_reference_when_asked(
    records: Cohort, bundle: Path, running: Running, tmp_path: Path
) -> None:
    everyone = classmates(records, 6)
    table, written = tmp_path / "class.csv", tmp_path / "scores.parquet"
    write_table(everyone, table)
    arguments = [str(table), "--bundle", str(bundle), "--out", str(written), "--workers", "1"]
    answer = ask(running, students_of(everyone), reference="batch", forecast=False)
    expected = [one["risk"] or np.nan for one in answer["assessments"]]
    shared, found = tmp_path / "reference.json", []
    made = CliRunner().invoke(
        app,
        ["reference", "--data", str(table), "--contract", "oulad", "--out", str(shared)],
    )
    assert made.exit_code == 0, made.output
    for reference in ("batch", str(shared), "bundle"):
        done = CliRunner().invoke(
            app, ["score", *arguments, "--part", "300", "--reference", reference]
        )
        assert done.exit_code == 0, done.output
        found.append(np.array(parquet.read_table(written)["risk"].to_pylist(), np.float64))
    np.testing.assert_allclose(found[0], expected, atol=2e-6)
    np.testing.assert_allclose(found[1], expected, atol=2e-6)
    assert np.nanmax(np.abs(found[2] - expected)) > 1e-4
