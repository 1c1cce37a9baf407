"""Answers written from columns say what the values put into words say."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from records.arrays import Floats, Ints
from records.cohort import Cohort
from records.contract import load_contract
from records.learnt.reference import learn_reference
from records.sources.semesters import simulate
from scoring.assessment.assessor import Assessor
from scoring.bundle.reader import read_bundle
from scoring.policy.model import Policy
from scoring.policy.recommender import Recommender
from scoring.results import AssessmentTable
from scoring.runtime.scorer import Scorer, Scores
from service.http.schemas import of_student
from service.rows.encoder import TableEncoder, _numbers
from service.rows.fragments import AdviceFragments

unhurried = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200
)
IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def assessor(bundle_dir: Path) -> Assessor:
    return Assessor(Scorer(read_bundle(bundle_dir), provider="cpu"))


@pytest.fixture(scope="module")
def encoder(assessor: Assessor) -> TableEncoder:
    contract = assessor.scorer.bundle.contract
    return TableEncoder(contract, assessor.policy, assessor.recommender.templates)


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.random.Generator, int, float, float]:
    seed = draw(st.integers(0, 2**32 - 1))
    missing = draw(st.sampled_from([0.0, 0.2, 0.8, 1.0]))
    silent = draw(st.sampled_from([0.0, 0.1, 1.0]))
    return np.random.default_rng(seed), draw(st.integers(0, 24)), missing, silent


def scored(
    generator: np.random.Generator, rows: int, missing: float, silent: float
) -> tuple[Floats, Ints, Scores]:
    """Students with gaps, of every length, and models that are silent here and there."""
    values = generator.uniform(0, [100, 100, 100, 100, 10], (rows, 8, 5)).astype(np.float32)
    values[generator.random(values.shape) < missing] = np.nan
    lengths = generator.integers(0, 9, rows).astype(np.int32)
    risk = generator.choice([0, 1e-7, 0.1, 0.4, 0.123456, 0.7, 0.9999996, 1], (rows, 8))
    risk = np.where(generator.random(risk.shape) < 0.5, generator.random(risk.shape), risk)
    score = generator.uniform(0, 100, (rows, 8, 1))
    risk[generator.random(risk.shape) < silent] = np.nan
    score[generator.random(score.shape) < silent] = np.nan
    return values, lengths, Scores(risk.astype(np.float32), score.astype(np.float32))


def table_of(
    assessor: Assessor, generator: np.random.Generator, rows: int, missing: float, silent: float
) -> AssessmentTable:
    return assessor.tabulate(*scored(generator, rows, missing, silent))


@unhurried
@given(tables(), st.lists(IDS, min_size=24, max_size=24))
@example((np.random.default_rng(1), 24, 0.2, 0.1), ['",', *["s"] * 23])
@example((np.random.default_rng(1), 24, 0.2, 0.1), ['"\\\n\t\x00/ é 学生 🎓\u2028\x7f'] * 24)
def test_columns_and_words_are_the_same_json(
    assessor: Assessor,
    encoder: TableEncoder,
    made: tuple[np.random.Generator, int, float, float],
    ids: list[str],
) -> None:
    table = table_of(assessor, *made)
    rows = [3 * row for row in range(len(table))]

    encoded = encoder.encode(table, ids[: len(table)], rows)
    written = [encoded.listed(at, at + 1) for at in range(len(table))]
    assert encoded.listed(0, len(table), b"[", b"]") == b"[%b]" % b",".join(written)

    said = map(of_student, ids, rows, assessor.to_assessments(table))
    expected = [msgspec.json.decode(msgspec.json.encode(one)) for one in said]
    assert [msgspec.json.decode(one, strict=True) for one in written] == expected
    # Another parser, and the order of the fields.
    assert list(map(json.dumps, map(json.loads, written))) == list(map(json.dumps, expected))


@unhurried
@given(tables())
def test_students_of_one_pass_and_students_alone_get_the_same_bytes(
    assessor: Assessor,
    encoder: TableEncoder,
    made: tuple[np.random.Generator, int, float, float],
) -> None:
    values, lengths, scores = scored(*made)
    ids = [f"s-{row}" for row in range(len(values))]
    together = encoder.encode(assessor.tabulate(values, lengths, scores), ids, [0] * len(ids))
    for row, name in enumerate(ids):
        one = slice(row, row + 1)
        own = Scores(scores.risk[one], scores.score[one])
        alone = encoder.encode(assessor.tabulate(values[one], lengths[one], own), [name], [0])
        assert alone.listed(0, 1) == together.listed(row, row + 1)


def test_risks_are_written_with_all_their_decimals(
    assessor: Assessor, encoder: TableEncoder
) -> None:
    values = np.full((1, 8, 5), [90, 80, 80, 80, 8], np.float32)
    risk = np.array([[0, 1, 0.5, 0.1234564, 0.25, 1e-6, 0.9, 0.4]], np.float32)
    scores = Scores(risk, np.full((1, 8, 1), 50, np.float32))
    table = assessor.tabulate(values, np.array([8], np.int32), scores)
    written = encoder.encode(table, ["s"], [0]).listed(0, 1)
    assert b'{"period":2,"risk":1.000000},{"period":3,"risk":0.500000},' in written
    assert b'{"period":4,"risk":0.123456}' in written
    assert b'"risk":0.400000,"tier":"moderate","since":8,' in written


def test_an_unbroken_and_a_broken_trajectory_are_written_alike(
    assessor: Assessor, encoder: TableEncoder
) -> None:
    values = np.full((2, 8, 5), [90, 80, 80, 80, 8], np.float32)
    risk = np.full((2, 8), 0.5, np.float32)
    risk[1, [3, 5]] = np.nan
    scores = Scores(risk, np.full((2, 8, 1), np.nan, np.float32))
    table = assessor.tabulate(values, np.array([8, 7], np.int32), scores)
    written = encoder.encode(table, ["a", "b"], [0, 1]).listed(0, 2, b"[", b"]")
    periods = [[point["period"] for point in one["trajectory"]] for one in json.loads(written)]
    assert periods == [[2, 3, 4, 5, 6, 7, 8], [2, 3, 5, 7]]


def test_recommendations_over_levels_flags_and_numbers_are_the_same_json() -> None:
    contract = load_contract("semesters")
    words = {"recommendation": 'Say "hello", 你好.', "message": "Hi.", "owner": "tutor"}
    rules: list[dict[str, object]] = [
        {"id": "poor", "feature": "classroom", "measure": "level", "worse_than": "good"},
        {"id": "alone", "feature": "tutoring", "measure": "level", "is_any": [False]},
        {"id": "rated", "feature": "classroom", "measure": "level", "is_any": ["poor", "fair"]},
        {"id": "low", "feature": "exam", "measure": "level", "worse_than": 70},
        {"id": "behind", "feature": "homework", "measure": "level", "standard_deviations": 0.1},
        {"id": "falling", "feature": "exam", "measure": "trend", "worsens_by": 0.5},
        {"id": "lost", "feature": "tutoring", "measure": "gap", "at_least": 1},
    ]
    policy = Policy.model_validate(
        {
            "name": "tried",
            "version": 1,
            "contract": "semesters",
            "max_recommendations": 20,
            "one_per_feature": False,
            "owners": {"tutor": {"label": "Tutor"}},
            "rules": [{**rule, **words, "due_days": 7, "effort_minutes": 5} for rule in rules],
        }
    )
    cohort = Cohort.concatenate(list(simulate(100, seed=3)))
    recommender = Recommender(policy, contract, learn_reference(cohort))
    values = cohort.values.copy()
    values[::7, :, contract.feature_names.index("tutoring")] = np.nan
    advice = recommender.advise(values, cohort.lengths, np.full(len(values), 2, np.int8))
    assert {*advice.rule.tolist()} == {*range(len(rules))}

    measured, expected, standard_deviations = _numbers(
        advice.measured, advice.expected, advice.standard_deviations
    )
    further = np.arange(len(advice)) % 2 == 1
    told, grounds = AdviceFragments(recommender.templates, contract.periods.maximum).encode(
        advice, measured, expected, standard_deviations, further
    )

    one_by_one = list(map(msgspec.json.encode, recommender.to_recommendations(advice)))
    one_by_one[1::2] = [b"," + one for one in one_by_one[1::2]]
    assert [before + after for before, after in zip(told, grounds, strict=True)] == one_by_one
