"""The bento: built from the bentofile, it serves from nothing but its own requirements."""

import os
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bentoml
import httpx
import pytest
import yaml  # type: ignore[import-untyped]

from scoring.bundle.reader import read_bundle
from tests.conftest import REPOSITORY
from tests.service.asking import problem, score, student
from tests.service.running import environment, serving

TRAINING_ONLY = ("tensorflow", "keras", "tf2onnx", "sklearn", "pandas", "pandera")


@dataclass(frozen=True)
class Built:
    """A bento, exported with its model into a folder of its own."""

    folder: Path

    def yaml(self, path: str) -> Any:
        return yaml.safe_load((self.folder / path).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def built(bundle_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Build the bento as `make bento` does, in a BentoML home of its own."""
    home = tmp_path_factory.mktemp("home")
    folder = tmp_path_factory.mktemp("exported") / "bento"
    variables = environment(home)
    save = f"from service.bundle_store import save_bundle; save_bundle({str(bundle_dir)!r})"
    export = f"import bentoml; bentoml.export_bento('bellwether', {str(folder)!r}, 'folder')"
    for arguments in (["-c", save], ["-m", "bentoml", "build"], ["-c", export]):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=REPOSITORY,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return Built(folder)


@pytest.mark.slow
def test_it_holds_the_code_that_serves_the_bundle_and_nothing_else(
    built: Built, bundle_dir: Path
) -> None:
    source = built.folder / "src"
    version = read_bundle(bundle_dir).version

    top = {path.name for path in source.iterdir()}
    assert top == {"records", "scoring", "explain", "service", "LICENSE", "bentofile.yaml"}
    assert not list(source.rglob("__pycache__"))
    assert (source / "service" / "app.py").is_file()
    assert (source / "scoring" / "policy" / "shipped" / "simulated.toml").is_file()
    assert [model["tag"] for model in built.yaml("bento.yaml")["models"]] == [
        f"bellwether:simulated-{version}"
    ]
    packed = built.folder / "models" / "bellwether" / f"simulated-{version}" / "bundle"
    assert read_bundle(packed).version == version
    assert "/score" in built.yaml("apis/openapi.yaml")["paths"]


@pytest.mark.slow
def test_it_serves_from_a_fresh_environment_of_its_own_requirements(
    built: Built, tmp_path: Path, http: httpx.Client
) -> None:
    fresh = tmp_path / "venv"
    venv.create(fresh, with_pip=True)
    python = fresh / ("Scripts" if os.name == "nt" else "bin") / "python"
    requirements = built.folder / "env" / "python" / "requirements.txt"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "-r", str(requirements)], check=True, cwd=tmp_path)
    look = f"import importlib.util as u; print(*map(u.find_spec, {TRAINING_ONLY!r}))"
    found = subprocess.run(
        [python, "-c", look], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert set(found.stdout.split()) == {"None"}
    variables = environment(tmp_path / "home", threads="1")
    with (
        serving(
            tmp_path, variables, target=str(built.folder), cwd=tmp_path, python=python
        ) as running,
        httpx.Client(base_url=running.url, timeout=30) as client,
        bentoml.SyncHTTPClient(running.url) as bentos,
    ):
        answer = score(client, student(), "no student")

        assert answer.json() == score(http, student(), "no student").json()
        assert bentos.score(students=[student()])["assessments"] == answer.json()["assessments"]
        problem(client.post("/score", json={"students": []}), 422)


def test_the_bentofiles_differ_in_their_runtime_alone() -> None:
    plain, *others = (
        yaml.safe_load((REPOSITORY / f"bentofile{kind}.yaml").read_text(encoding="utf-8"))
        for kind in ("", ".cpu", ".cuda")
    )
    for kind, other in zip(("cpu", "cuda"), others, strict=True):
        assert other["labels"].pop("runtime") == kind
        assert other["python"].pop("requirements_txt") == f"requirements/serving-{kind}.txt"
        assert (REPOSITORY / "requirements" / f"serving-{kind}.txt").is_file()
    assert plain["labels"].pop("runtime") == "gpu"
    assert plain["python"].pop("requirements_txt") == "requirements/serving-gpu.txt"
    assert others == [plain, plain]


def test_nothing_that_trains_is_in_the_serving_requirements() -> None:
    for kind in ("gpu", "cpu", "cuda"):
        text = (REPOSITORY / "requirements" / f"serving-{kind}.txt").read_text(encoding="utf-8")
        pinned = {line.partition("==")[0] for line in text.splitlines() if "==" in line}
        assert not pinned & {*TRAINING_ONLY, "scikit-learn"}
        assert {"bentoml", "msgspec", "numpy", "uvloop", "httptools"} <= pinned
