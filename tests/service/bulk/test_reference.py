"""Relative features of a cohort are computed as those of a `score` request are."""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import bentoml
import httpx
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest
from bentoml.exceptions import BentoMLException
from hypothesis import given, settings
from hypothesis import strategies as st

from records.cohort import Cohort
from records.contract import Feature, Relative
from records.learnt.relative import with_own_relatives, without_relatives
from records.learnt.relative_reference import learn_relatives
from records.load import load_cohort
from records.tables.formats import TableFormat
from scoring.students.writing import students_of
from scoring.tables.assessor import Wanted
from service.bulk.pending import BulkRequest
from service.http.problems import RequestError
from service.responder import Responder
from service.settings import Settings
from tests.scoring.arrow_tables import as_table
from tests.service.bulk.test_responder import ARROW, bulk, columns_of
from tests.service.bulk_responders import bulk_of
from tests.service.running import Running, environment, serving

STANDING = Feature(
    name="standing_quiz",
    label="Quiz, against the others",
    minimum=-6,
    maximum=6,
    relative=Relative(of="quiz", fewest=5),
)
Students = list[dict[str, Any]]


def with_standing(cohort: Cohort) -> Cohort:
    """The cohort with a feature that says where each student stands."""
    contract = cohort.contract
    wider = contract.model_copy(update={"features": (*contract.features, STANDING)})
    empty = np.full((*cohort.values.shape[:2], 1), np.nan, np.float32)
    values = np.concatenate((cohort.values, empty), axis=2)
    return with_own_relatives(replace(cohort, contract=wider, values=values))


@pytest.fixture(scope="module")
def known() -> Cohort:
    return with_standing(load_cohort("simulated", students=120, seed=4))


@pytest.fixture(scope="module")
def bundle(known: Cohort, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of a contract with a relative feature, of networks that hardly learnt."""
    from export.export import export_run  # noqa: PLC0415 - TensorFlow
    from training.settings import (  # noqa: PLC0415
        RISK_PRESETS,
        SCORE_PRESETS,
        Schedule,
        TrainingSettings,
    )
    from training.train import train  # noqa: PLC0415

    short = {"schedule": Schedule(epochs=1, patience=1), "units": 8}
    chosen = TrainingSettings(
        risk=RISK_PRESETS["paper-a"].model_copy(update=short),
        score=SCORE_PRESETS["large"].model_copy(update=short),
        baselines="none",
    )
    folder = tmp_path_factory.mktemp("standing")
    return export_run(train(known, folder / "run", chosen, data="simulated"), folder / "bundle")


@pytest.fixture(scope="module")
def relative(bundle: Path) -> Responder:
    return Responder(bundle, Settings(threads=1))


@pytest.fixture(scope="module")
def drawn() -> Students:
    cohort = with_standing(load_cohort("simulated", students=60, seed=9)).at(5)
    bare, whole = students_of(without_relatives(cohort)), students_of(cohort)
    # Every fourth brings where it stands.
    return [one if at % 4 else whole[at] for at, one in enumerate(bare)]


@pytest.fixture(scope="module")
def own() -> dict[str, Any]:
    """A reference that a caller sends."""
    found = learn_relatives(with_standing(load_cohort("simulated", students=200, seed=1)))
    assert found is not None
    sent: dict[str, Any] = found.model_copy(update={"contract": "simulated"}).model_dump(
        mode="json"
    )
    return sent


def by_score(responder: Responder, students: Students, reference: Any) -> dict[str, Any]:
    body = msgspec.json.encode({"students": students, "reference": reference})
    answer = json.loads(responder.score(body).body)
    return {one["id"]: one for one in answer["assessments"]}


def written(responder: Responder, students: Students, kind: TableFormat) -> bytes:
    table, sink = as_table(responder.bundle.contract, students), io.BytesIO()
    if kind is TableFormat.ARROW:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=max(13, len(students)))
    else:
        pa_csv.write_csv(table, sink)
    return sink.getvalue()


def told(
    responder: Responder, students: Students, reference: Any, kind: TableFormat | None
) -> list[dict[str, Any]]:
    """What a cohort's answer says of each student."""
    if kind is None:
        features = responder.bundle.contract.feature_names
        body = json.dumps({**columns_of(students, features), "reference": reference}).encode()
        request = BulkRequest(None, TableFormat.ARROW, Wanted(), whole=True)
    else:
        body = written(responder, students, kind)
        request = BulkRequest(kind, TableFormat.ARROW, Wanted(), whole=True, reference=reference)
    answer = b"".join(bulk_of(responder).answer(pa.BufferReader(body), request))
    rows: list[dict[str, Any]] = pa.ipc.open_stream(answer).read_all().to_pylist()
    return rows


@settings(max_examples=25, deadline=None)
@given(
    chosen=st.lists(st.integers(0, 59), min_size=1, max_size=60, unique=True),
    word=st.sampled_from(["bundle", "batch", "sent", "request"]),
    kind=st.sampled_from([None, TableFormat.ARROW, TableFormat.CSV]),
)
def test_a_cohort_gets_the_numbers_of_its_students(
    *,
    relative: Responder,
    drawn: Students,
    own: dict[str, Any],
    chosen: Sequence[int],
    word: str,
    kind: TableFormat | None,
) -> None:
    students = [drawn[at] for at in chosen]
    reference = own if word == "request" else word
    if word == "request":
        kind = None  # tables say it in a word
    known = by_score(relative, students, reference)
    rows = told(relative, students, reference, kind)
    assert [row["id"] for row in rows] == [one["id"] for one in students]
    for row in rows:
        one = known[row["id"]]
        assert row["reference"] == one["reference"]
        assert row["risk"] == pytest.approx(one["risk"], abs=2e-6)
        assert (row["status"], row["tier"]) == (one["status"], one["tier"])


def test_what_is_compared_with_changes_the_answer(
    relative: Responder, drawn: Students, own: dict[str, Any]
) -> None:
    said = {
        word: [row["risk"] for row in told(relative, drawn, reference, None)]
        for word, reference in (("bundle", "bundle"), ("batch", "batch"), ("request", own))
    }
    assert said["bundle"] != said["batch"]
    assert said["request"] != said["bundle"]


@pytest.mark.parametrize("wrong", ["mine", 7, None, {"contract": "simulated"}])
def test_columns_with_a_reference_that_cannot_be_one_are_refused(
    relative: Responder, drawn: Students, wrong: Any
) -> None:
    with pytest.raises(RequestError) as caught:
        told(relative, drawn, wrong, None)
    assert caught.value.status == 422
    assert [one.field for one in caught.value.details.errors] == ["reference"]


@pytest.fixture(scope="module")
def running(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The real service."""
    folder = tmp_path_factory.mktemp("serving-standing")
    with serving(folder, environment(folder, bundle=bundle, threads="1")) as server:
        yield server


def test_bentoml_clients_pass_the_reference_on(
    running: Running, relative: Responder, drawn: Students, own: dict[str, Any]
) -> None:
    with bentoml.SyncHTTPClient(running.url) as client:
        said = {
            str(reference): client.score(students=drawn, reference=reference)["assessments"]
            for reference in ("bundle", "batch", "sent", own)
        }
        with pytest.raises(BentoMLException, match="reference") as refused:
            client.score(students=drawn, reference="mine")

    assert refused.value.error_code == 422
    for reference in ("bundle", "batch", "sent", own):
        known = by_score(relative, drawn, reference)
        for one in said[str(reference)]:
            assert one["reference"] == known[one["id"]]["reference"]
            assert one["risk"] == pytest.approx(known[one["id"]]["risk"], abs=2e-6)
    assert len({json.dumps(one) for one in said.values()}) == 4


def test_a_streamed_table_is_its_own_reference(
    running: Running, relative: Responder, drawn: Students
) -> None:
    many = [{**one, "id": f"{copy}-{one['id']}"} for copy in range(100) for one in drawn]
    expected = told(relative, many, "batch", None)
    with httpx.Client(base_url=running.url, timeout=60) as client:
        for kind, name in ((TableFormat.ARROW, ARROW), (TableFormat.CSV, "text/csv")):
            body = written(relative, many, kind)
            assert len(body) > 2**20
            answer = bulk(
                client, body, name, "?reference=batch&recommendations=false", accept=ARROW
            )
            rows = pa.ipc.open_stream(answer.content).read_all().to_pylist()
            assert {row["reference"] for row in rows} == {"batch", "sent"}
            assert [row["risk"] for row in rows] == pytest.approx(
                [row["risk"] for row in expected], abs=2e-6
            )


@pytest.mark.parametrize(
    ("kind", "query", "code"),
    [
        ("text/csv", "?reference=mine", "wrong_value"),
        ("application/json", "?reference=batch", "unknown_field"),
    ],
)
def test_a_word_that_is_none_is_refused(
    http: httpx.Client, kind: str, query: str, code: str
) -> None:
    answer = bulk(http, b"id,period\na,1\n", kind, query)
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert (fault["field"], fault["code"]) == ("reference", code)
