"""However students are grouped and sent, each gets the same answer."""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from records.load import load_cohort
from records.tables.formats import TableFormat
from scoring.students.writing import students_of
from service.bulk.pending import BulkRequest
from service.responder import Responder
from service.settings import Settings
from tests.cli.serving.test_score import score
from tests.conftest import REPOSITORY
from tests.scoring.arrow_tables import as_table
from tests.service.bulk.test_responder import columns_of
from tests.service.bulk_responders import bulk_of

if TYPE_CHECKING:
    from training.run_folder import RunFolder

STUDENTS, CLOSE = 300, 1e-5
# What is said of a student in numbers, and what in words, which must be the very same.
Told = tuple[list[float | None], list[Any]]
Student = dict[str, Any]


@pytest.fixture(scope="module")
def students() -> list[Student]:
    """Histories of all lengths with gaps, missing cells and wild values."""
    generator = np.random.default_rng(11)
    thinned = []
    for one in students_of(load_cohort("simulated", students=STUDENTS, seed=8)):
        periods = one["periods"][: generator.integers(1, 9)]
        kept = [row for row in periods if generator.random() > 0.1] or periods[-1:]
        for row in kept:
            for name in [name for name in row if name != "period"]:
                if generator.random() < 0.2:
                    row[name] = None if generator.random() < 0.7 else 0
        thinned.append({"id": one["id"], "periods": kept})
    return thinned


@pytest.fixture(scope="module")
def bundle(
    run_folder: "RunFolder",
    bundle_dir: Path,
    students: list[Student],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The bundle with tiers of which each has students: in the usual one all are low."""
    from export.export import export_run  # noqa: PLC0415 - brings TensorFlow

    usual = Responder(bundle_dir, Settings(threads=1))
    told = _rows(usual, [students]).values()
    middle, high = np.nanquantile([numbers[0] or np.nan for numbers, _ in told], (0.3, 0.7))
    policy = (REPOSITORY / "scoring/policy/shipped/simulated.toml").read_text(encoding="utf-8")
    for usually, here in (("0.4", middle), ("0.7", high)):
        assert f"\nfrom = {usually}\n" in policy
        policy = policy.replace(f"\nfrom = {usually}\n", f"\nfrom = {here:.4f}\n")
    folder = tmp_path_factory.mktemp("tiers")
    (folder / "policy.toml").write_text(policy, encoding="utf-8")
    return export_run(run_folder, folder / "bundle", policy=folder / "policy.toml")


@pytest.fixture(scope="module")
def responder(bundle: Path) -> Responder:
    return Responder(bundle, Settings(threads=1))


@pytest.fixture(scope="module")
def alone(responder: Responder, students: list[Student]) -> dict[str, Told]:
    """What each is answered alone."""
    return {one["id"]: _rows(responder, [[one]])[one["id"]] for one in students}


def _rows(responder: Responder, groups: Sequence[Sequence[Student]]) -> dict[str, Told]:
    """Ask as rows of JSON, a request a group, all in one pass."""
    bodies = [json.dumps({"students": group}).encode() for group in groups]
    answers = responder.answer([responder.read(body) for body in bodies])
    return {
        one["id"]: _of_rows(one)
        for body in answers.bodies
        for one in json.loads(body)["assessments"]
    }


def _of_rows(one: dict[str, Any]) -> Told:
    risks = {point["period"]: point["risk"] for point in one["trajectory"]}
    periods = range(1, one["period"] + 1) if one["tier"] else ()
    (forecast,) = one["forecast"] or [dict.fromkeys(("value", "low", "high"))]
    advice = [
        (said["rule"], said["evidence"]["first_period"], said["evidence"]["last_period"])
        for said in one["recommendations"]
    ]
    grounds = [
        said["evidence"][name]
        for said in one["recommendations"]
        for name in ("measured", "expected", "standard_deviations")
    ]
    return (
        [
            *(one["risk"], one["observed"]["share"]),
            *(forecast["value"], forecast["low"], forecast["high"]),
            *map(risks.get, periods),
            *grounds,
        ],
        [
            *(one["status"], one["period"], one["tier"], one["since"], one["reference"]),
            *(one["observed"]["periods"], one["outliers"], advice),
        ],
    )


def _of_table(one: dict[str, Any]) -> Told:
    advice = one["recommendations"]
    grounds = [
        said[name] for said in advice for name in ("measured", "expected", "standard_deviations")
    ]
    return (
        [
            *(one["risk"], one["observed_share"]),
            *(one["forecast_score"], one["low_score"], one["high_score"]),
            *one["trajectory"],
            *grounds,
        ],
        [
            *(one["status"], one["period"], one["tier"], one["since"], one["reference"]),
            *(one["observed_periods"], one["outliers"]),
            [(said["rule"], said["first_period"], said["last_period"]) for said in advice],
        ],
    )


def _of_columns(answer: dict[str, Any], row: int) -> dict[str, Any]:
    """One student of columnar JSON, as a row of a table."""

    def about(name: str) -> list[dict[str, Any]]:
        table = answer[name]
        rows = [dict(zip(table, cells, strict=True)) for cells in zip(*table.values(), strict=True)]
        return [{key: one[key] for key in one if key != "row"} for one in rows if one["row"] == row]

    single = ("id", "status", "period", "risk", "tier", "since", "trajectory")
    return {
        **{name: answer[name][row] for name in (*single, "observed_periods", "observed_share")},
        **{f"{name}_score": answer[name]["score"][row] for name in ("forecast", "low", "high")},
        "reference": answer["reference"][row],
        "outliers": about("outliers"),
        "recommendations": about("recommendations"),
    }


def _columns(responder: Responder, groups: Sequence[Sequence[Student]]) -> dict[str, Told]:
    told: dict[str, Told] = {}
    for group in groups:
        body = json.dumps(columns_of(group, responder.bundle.contract.feature_names)).encode()
        said = json.loads(_bulk(responder, body, None))
        told |= {name: _of_table(_of_columns(said, row)) for row, name in enumerate(said["id"])}
    return told


def _arrow(responder: Responder, groups: Sequence[Sequence[Student]]) -> dict[str, Told]:
    told: dict[str, Told] = {}
    for group in groups:
        sink = io.BytesIO()
        table = as_table(responder.bundle.contract, group)
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        said = pa.ipc.open_stream(_bulk(responder, sink.getvalue(), TableFormat.ARROW)).read_all()
        told |= {one["id"]: _of_table(one) for one in said.to_pylist()}
    return told


def _bulk(responder: Responder, body: bytes, kind: TableFormat | None) -> bytes:
    request = BulkRequest(kind, kind, whole=True)
    return b"".join(bulk_of(responder).answer(pa.BufferReader(body), request))


def assert_alike(told: dict[str, Told], expected: dict[str, Told]) -> None:
    assert set(told) <= set(expected)
    for name, (numbers, words) in told.items():
        assert words == expected[name][1], name
        assert numbers == pytest.approx(expected[name][0], abs=CLOSE, nan_ok=True), name


WAYS: dict[str, Callable[[Responder, Sequence[Sequence[Student]]], dict[str, Told]]] = {
    "rows": _rows,
    "columns": _columns,
    "arrow": _arrow,
}


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_sample_in_any_groups_is_told_the_same(
    responder: Responder,
    students: list[Student],
    alone: dict[str, Told],
    data: st.DataObject,
) -> None:
    # By a seed: Hypothesis would draw a handful of the first ones.
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    chosen = generator.permutation(STUDENTS)[: generator.integers(1, 80)].tolist()
    sizes = generator.choice([1, 1, 2, 3, 6, 7, 30], len(chosen)).tolist()
    groups, start = [], 0
    for size in sizes:
        if group := [students[at] for at in chosen[start : start + size]]:
            groups.append(group)
        start += size
    way = WAYS[data.draw(st.sampled_from(list(WAYS)))]
    told = way(responder, groups)
    assert len(told) == len(chosen)
    assert_alike(told, alone)


@pytest.mark.parametrize("way", list(WAYS))
def test_a_whole_cohort_is_told_what_each_is_alone(
    responder: Responder, students: list[Student], alone: dict[str, Told], way: str
) -> None:
    told = WAYS[way](responder, [students])
    assert len(told) == STUDENTS
    assert_alike(told, alone)
    assert {words[0] for _, words in told.values()} == {"assessed", "not_enough_data"}
    assert {words[2] for _, words in told.values()} == {"low", "moderate", "high", None}
    for part in (-2, -1):  # outliers; recommendations
        assert sum(bool(words[part]) for _, words in told.values()) > 30


def test_a_file_is_told_what_each_is_alone(
    bundle: Path,
    responder: Responder,
    students: list[Student],
    alone: dict[str, Told],
    tmp_path: Path,
) -> None:
    pq.write_table(as_table(responder.bundle.contract, students), tmp_path / "in.parquet")
    out = tmp_path / "out.parquet"
    done = score(tmp_path / "in.parquet", "--bundle", bundle, "--out", out)
    assert done.returncode == 0, done.stderr
    told = {one["id"]: _of_table(one) for one in pq.read_table(out).to_pylist()}
    assert len(told) == STUDENTS
    assert_alike(told, alone)
