"""Presets and the settings chosen for a cohort."""

from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from records.cohort import Cohort
from tests.training.small_cohort import small_cohort
from training.settings import (
    RISK_PRESETS,
    SCORE_PRESETS,
    NetworkPreset,
    TrainingSettings,
    settings_for,
)


def _named(cohort: Cohort, name: str) -> Cohort:
    object.__setattr__(cohort, "contract", cohort.contract.model_copy(update={"name": name}))
    return cohort


def test_paper_a_is_as_the_paper_says() -> None:
    preset = RISK_PRESETS["paper-a"]
    assert (preset.units, preset.dropout, preset.scaling) == (64, 0.2, "min-max")
    assert preset.schedule.learning_rate == 0.001
    assert not preset.missing_indicators


def test_paper_b_is_as_the_paper_says() -> None:
    preset = SCORE_PRESETS["paper-b"]
    assert (preset.units, preset.scaling, preset.schedule.batch_size) == (64, "z-score", 32)
    assert not preset.residual


def test_simulated_and_semesters_follow_their_papers_but_for_a_small_score_network() -> None:
    simulated = settings_for(_named(small_cohort(), "simulated"), seed=4)
    assert (simulated.risk.name, simulated.score.name) == ("paper-a", "small")
    assert (simulated.split.kind, simulated.seed) == ("stratified-80-20", 4)
    assert simulated.score_selection is None
    semesters = settings_for(_named(small_cohort(), "semesters"))
    assert semesters.score.name == "paper-b"
    assert semesters.split.kind == "stratified-70-15-15"
    assert semesters.score_selection == 0.1
    assert semesters.risk_selection is None


def test_other_data_is_tested_on_its_latest_cohort_where_it_has_several(cohort: Cohort) -> None:
    assert settings_for(cohort).split.kind == "temporal"
    alone = small_cohort(cohorts=1)
    assert settings_for(alone).split.kind == "stratified-80-20"
    partly_named = replace(alone, cohorts=np.where(np.arange(len(alone)) % 2, "2001", ""))
    assert settings_for(partly_named).split.kind == "stratified-80-20"


def test_long_histories_take_the_large_presets(cohort: Cohort) -> None:
    assert settings_for(cohort).risk.name == "paper-a"
    periods = cohort.contract.periods.model_copy(update={"maximum": 39})
    contract = cohort.contract.model_copy(update={"periods": periods})
    longer = small_cohort()
    object.__setattr__(longer, "contract", contract)
    chosen = settings_for(longer)
    assert (chosen.risk.name, chosen.score.name) == ("large", "quantile")


def test_many_simulated_students_take_the_large_presets() -> None:
    assert settings_for(_named(small_cohort(10_001), "simulated")).score.name == "quantile"


def test_many_records_take_the_large_presets() -> None:
    many = settings_for(small_cohort(10_001))
    assert (many.risk.name, many.score.name) == ("large", "quantile")
    assert settings_for(small_cohort(30_001)).score.name == "quantile-many"


def test_networks_of_the_open_university_read_quantile_encoded_features() -> None:
    many = small_cohort(10_001)
    contract = many.contract.model_copy(update={"name": "oulad"})
    object.__setattr__(many, "contract", contract)
    chosen = settings_for(many)
    assert (chosen.risk.name, chosen.score.name) == ("distilled", "quantile")


def test_settings_do_not_change_once_made_and_survive_a_file() -> None:
    settings = TrainingSettings(seed=3)
    with pytest.raises(ValidationError):
        settings.seed = 4  # type: ignore[misc]
    assert TrainingSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        ({"attention": "before", "heads": 2, "key_size": 1}, True),
        ({"attention": "before", "heads": 1, "key_size": 1}, False),
        ({"attention": "before", "heads": 2, "key_size": 2}, False),
        ({"attention": "none", "heads": 2, "key_size": 1}, False),
    ],
)
def test_several_heads_of_one_column_are_refused_with_what_to_do(
    changes: dict[str, object], refused: bool
) -> None:
    expected = pytest.raises(ValidationError, match="set key_size to 2 or more, or heads to 1")
    with expected if refused else nullcontext():
        NetworkPreset.model_validate({"name": "narrow", **changes})
