"""What an export checks of explanations: what was planted comes first, what misleads is hidden."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from explain.bundles import check_bundle, simulator_of
from explain.checks import LIMIT, check_explanations, hidden_by
from explain.reasons.explainer import Explainer
from explain.what_if.futures import Futures
from records.arrays import Doubles, Floats, Ints
from records.cohort import Cohort
from records.learnt.reference import learn_reference
from records.sources import simulated
from report.explanation_tables import check_network
from scoring.bundle.manifest import ExplanationChecks, LeverCheck
from scoring.runtime.scorer import Scorer
from tests.explain.small_course import COURSE, TYPICAL, relatives
from training.run_folder import RunFolder
from training.settings import RISK_PRESETS, SCORE_PRESETS, Schedule, TrainingSettings

QUIZ = simulated.simulate_cohort(1).contract.feature_names.index("quiz")


def planted_cohort(records: int = 400) -> Cohort:
    """Students whose outcome is their mean quiz result and nothing else, all else being shuffled."""
    cohort = simulated.simulate_cohort(records, seed=3)
    random = np.random.default_rng(3)
    values = cohort.values.copy()
    # Values change places only between records of the same length, so that none gets a gap.
    for length in np.unique(cohort.lengths):
        rows = np.flatnonzero(cohort.lengths == length)
        for feature in range(values.shape[2]):
            if feature != QUIZ:
                values[rows, :, feature] = values[random.permutation(rows)][:, :, feature]
    quiz = values[:, :, QUIZ]
    mean = np.where(np.isnan(quiz), np.nanmean(quiz), quiz).mean(axis=1)
    failed = mean < np.quantile(mean, 0.3)
    risk = np.where(np.isnan(cohort.risk), np.nan, failed[:, None]).astype(np.float32)
    return replace(cohort, values=values, risk=risk)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> ExplanationChecks:
    """What was checked of a real network that was trained on the planted cohort."""
    from training.networks.builders import load_network, predict  # noqa: PLC0415
    from training.train import train  # noqa: PLC0415

    learning = Schedule(epochs=25, patience=8, learning_rate=5e-3)
    settings = TrainingSettings(
        risk=RISK_PRESETS["paper-a"].model_copy(update={"schedule": learning}),
        score=SCORE_PRESETS["paper-b"].model_copy(update={"schedule": Schedule(epochs=1)}),
        baselines="none",
    )
    folder: Path = tmp_path_factory.mktemp("planted") / "run"
    run: RunFolder = train(planted_cohort(), folder, settings, data="planted")
    network = load_network(run.path / "risk.keras")
    return check_network(lambda values: predict(network, values), run.heldout(), run.reference)


@pytest.mark.slow
def test_the_planted_group_comes_first_and_deleting_it_lowers_the_estimate_most(
    planted: ExplanationChecks,
) -> None:
    assert planted.explained >= 10
    assert max(planted.shares, key=lambda group: planted.shares[group]) == "Quiz result"
    assert planted.shares["Quiz result"] > 0.5
    assert planted.ordered[1] < 2 * planted.random[1] < 0
    [quiz] = [lever for lever in planted.levers if lever.name == "quiz"]
    assert (quiz.raised, quiz.hidden) == (0, False)


def test_reasons_of_a_bundle_name_what_counts_faster_than_chance(
    scorer: Scorer, run_folder: RunFolder
) -> None:
    checks = check_bundle(scorer, run_folder.heldout())
    assert checks.explained > 5
    # After no group and after all of them both orders are at the same place.
    assert checks.ordered[0] == checks.random[0] == 0
    assert checks.ordered[-1] == pytest.approx(checks.random[-1], abs=1e-3)
    assert all(one <= other for one, other in zip(checks.ordered, checks.random, strict=True))
    assert sum(checks.shares.values()) == pytest.approx(1, abs=1e-3)
    assert {lever.name for lever in checks.levers} == set(scorer.bundle.contract.feature_names)
    assert check_bundle(scorer, run_folder.heldout()) == checks  # seeded


def checked(level: Callable[[Floats], Doubles], records: int = 150) -> ExplanationChecks:
    """Check a model that gives this logit to the values of a period."""
    cohort = simulated.simulate_cohort(150, seed=2)
    typical = learn_reference(cohort).typical

    def predict(values: Floats, _: Ints) -> Floats:
        return (1 / (1 + np.exp(-level(np.nan_to_num(values, nan=50.0))))).astype(np.float32)

    contract = cohort.contract
    return check_explanations(
        predict,
        Explainer(predict, contract, typical),
        Futures(contract, typical, None),
        cohort.take(np.arange(records)),
    )


def test_a_feature_whose_improvement_raises_the_estimate_is_hidden() -> None:
    checks = checked(lambda values: (values[..., QUIZ] - values[..., 0]).astype(np.float64) / 20)
    found = {lever.name: lever for lever in checks.levers}
    assert found["quiz"].hidden
    assert found["quiz"].raised > 0.9
    assert not found["attendance"].hidden
    assert found["attendance"].raised == 0
    assert hidden_by(checks).features == ("quiz",)
    assert found["engagement"].raised == 0  # it is not read: no rise


def test_fewer_than_twenty_records_hide_nothing() -> None:
    def level(values: Floats) -> Doubles:
        return values[..., QUIZ].astype(np.float64) / 20

    many = {lever.name: lever for lever in checked(level).levers}
    few = {lever.name: lever for lever in checked(level, records=12).levers}
    assert few["quiz"].raised > LIMIT
    assert (few["quiz"].hidden, many["quiz"].hidden) == (False, True)


def test_features_of_a_group_are_also_improved_together() -> None:
    records = 60
    values = np.tile(
        np.array([50, 3, 14, 20, 0, 1], np.float32), (records, COURSE.periods.maximum, 1)
    )
    cohort = Cohort(
        contract=COURSE,
        ids=np.array([f"s{row}" for row in range(records)]),
        students=np.array([f"s{row}" for row in range(records)]),
        cohorts=np.full(records, "2025"),
        values=values,
        lengths=np.full(records, COURSE.periods.maximum, np.int32),
        eligible=np.ones(values.shape[:2], np.bool_),
        risk=np.zeros(values.shape[:2], np.float32),
        score=np.full((*values.shape[:2], 2), np.nan, np.float32),
        audit={"gender": np.full(records, "", dtype="U1")},
    )

    def predict(rows: Floats, _: Ints) -> Floats:
        # Fewer missing works lower the estimate, unless those that remain are not overdue either.
        level = rows[..., 1] - rows[..., 2] / 2
        return (1 / (1 + np.exp(-level / 10))).astype(np.float32)

    checks = check_explanations(
        predict,
        Explainer(predict, COURSE, TYPICAL),
        Futures(COURSE, TYPICAL, relatives()),
        cohort,
    )
    found = {(lever.name, lever.is_group): lever for lever in checks.levers}
    assert not found["missing", False].hidden
    assert found["overdue", False].hidden
    assert found["Submissions", True].hidden
    hidden = hidden_by(checks)
    assert (hidden.features, hidden.groups) == (("overdue",), ("Submissions",))


def test_a_bundle_hides_what_its_export_found(scorer: Scorer) -> None:
    manifest = scorer.bundle.manifest
    assert manifest.explanations is not None
    assert simulator_of(scorer)._hidden == hidden_by(manifest.explanations)
    assert hidden_by(None).features == ()
    lever = LeverCheck(name="quiz", is_group=False, records=50, raised=0.5, hidden=True)
    found = manifest.explanations.model_copy(update={"levers": (lever,)})
    assert hidden_by(found).features == ("quiz",)
