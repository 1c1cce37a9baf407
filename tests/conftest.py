"""What tests of several rooms share."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import settings

from records.usage_reports import switch_off_usage_reports

switch_off_usage_reports()  # before a test module imports ONNX Runtime

# Machines are shared and noisy: an example that takes long is no failure.
settings.register_profile("bellwether", deadline=None)
settings.load_profile("bellwether")

# Read when scikit-learn loads OpenMP, whose threads otherwise spin while they wait for each other:
# two processes on two cores keep each other from what they wait for.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# A real tiny run and its bundle, and real databases, for every room that needs one.
pytest_plugins = ["tests.bundles", "tests.databases"]

# Fixtures that train a model or start a server, and tests of what only TensorFlow runs.
SLOW_FIXTURES = frozenset({"run_folder", "bundle_dir", "bundle", "server", "built"})
SLOW_FOLDERS = ("benchmarks", "export", "report", "training")

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--fast` and `--long`: what `make test-fast` and `make test-long` run."""
    parser.addoption("--fast", action="store_true", help="leave out what trains or serves")
    parser.addoption("--long", action="store_true", help="run tests that take minutes, too")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out folders whose tests import TensorFlow."""
    slow = collection_path in {REPOSITORY / "tests" / name for name in SLOW_FOLDERS}
    return True if slow and config.getoption("fast") else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the long forms of tests, and with `--fast` whatever is slow, unless asked for."""
    fast, long = config.getoption("fast"), config.getoption("long")
    left_out = {
        item.nodeid
        for item in items
        if (item.get_closest_marker("long") and not long) or (fast and _is_slow(item))
    }
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid in left_out])
    items[:] = [item for item in items if item.nodeid not in left_out]


def _is_slow(item: pytest.Item) -> bool:
    """Return whether a test trains a model, starts a server or is marked as slow."""
    fixtures: Sequence[str] = getattr(item, "fixturenames", ())
    return item.get_closest_marker("slow") is not None or bool(SLOW_FIXTURES & set(fixtures))


def _data_folder(name: str) -> Path:
    root = Path(os.environ.get("BELLWETHER_DATA", REPOSITORY.parent / "shared" / "data"))
    if not (root / name).is_dir():
        pytest.skip(f"needs the real {name} files; set BELLWETHER_DATA to the folder above them")
    return root / name


@pytest.fixture(scope="session")
def oulad_dir() -> Path:
    """Folder of the OULAD files."""
    return _data_folder("oulad")


@pytest.fixture(scope="session")
def midfield_dir() -> Path:
    """Folder of the MIDFIELD files."""
    return _data_folder("midfield")
