"""A desk that answers, shared by the tests of this room."""

from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import pytest

from access.roles import Grant, Role
from export.export import export_run
from tests.desk.institution import Institution, found
from tests.desk.running_desk import RunningDesk, running_desk
from tests.service.running import environment, serving
from training.run_folder import RunFolder

ADVISER = "adviser@example.edu"


@pytest.fixture(scope="module")
def empty_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningDesk]:
    """A desk without students; one adviser."""
    with running_desk(tmp_path_factory.mktemp("desk")) as running:
        running.add_person(ADVISER, "Ada Adviser", Grant(Role.ADVISER))
        yield running


@pytest.fixture(scope="session")
def alert_bundle(run_folder: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose tiers begin low: the tiny network never estimates a high risk."""
    folder = tmp_path_factory.mktemp("alert")
    policy = folder / "policy.toml"
    shipped = (resources.files("scoring.policy.shipped") / "simulated.toml").read_text("utf-8")
    lowered = shipped.replace("from = 0.4", "from = 0.22").replace("from = 0.7", "from = 0.27")
    policy.write_text(lowered, "utf-8")
    return export_run(run_folder, folder / "bundle", policy=policy)


@pytest.fixture(scope="session")
def scorer(alert_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a real scoring service."""
    folder = tmp_path_factory.mktemp("scorer")
    with serving(folder, environment(folder, bundle=alert_bundle, threads="1")) as running:
        yield running.url


@pytest.fixture(scope="module")
def institution(scorer: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Institution]:
    """A desk with an institution of 60 students in mid-term."""
    with running_desk(tmp_path_factory.mktemp("desk"), scorer=scorer) as running:
        yield found(running, students=60)
