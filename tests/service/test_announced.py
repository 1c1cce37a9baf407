"""After a bundle is replaced on disk, no worker answers from another one than the rest."""

import json
import os
import shutil
import time
from pathlib import Path

import httpx
import psutil
import pytest

from scoring.bundle.manifest import Manifest
from scoring.bundle.reader import MANIFEST, read_bundle, write_manifest
from service.process import announced
from service.process.announced import Announced, AnnouncedError
from tests.service.asking import score, student
from tests.service.links import until, workers
from tests.service.running import environment, serving


@pytest.fixture
def _own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BELLWETHER_INTERNAL_BUNDLE", "none yet")
    announced.prepare()


@pytest.mark.usefixtures("_own_memory")
def test_what_is_announced_is_what_workers_are_held_to() -> None:
    assert announced.announced() is None
    announced.check("anything")
    announced.announce(Announced("/bundles/ü", "a" * 64, "/metrics"))
    found = announced.announced()

    assert found is not None
    assert (found.folder, found.digest) == ("/bundles/ü", "a" * 64)
    announced.check("a" * 64)
    with pytest.raises(AnnouncedError, match=r"bbbbbbbbbbbb, but .* aaaaaaaaaaaa"):
        announced.check("b" * 64)


@pytest.mark.usefixtures("_own_memory")
def test_a_later_start_in_the_same_process_keeps_the_memory() -> None:
    announced.announce(Announced("/bundles/x", "a" * 64, "/metrics"))
    descriptor = os.environ["BELLWETHER_INTERNAL_BUNDLE"]
    announced.prepare()

    assert os.environ["BELLWETHER_INTERNAL_BUNDLE"] == descriptor
    assert announced.announced() is not None


def test_a_worker_that_would_load_another_bundle_does_not_start(
    bundle_dir: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(bundle_dir, tmp_path / "bundle"))
    before = read_bundle(folder).version
    with serving(tmp_path, environment(tmp_path, bundle=folder, threads="1", workers="2")) as run:
        until(lambda: len(workers(run)) == 2 and _all_listen(workers(run)))
        _replace(folder)
        after = read_bundle(folder).version
        workers(run)[0].kill()
        until(lambda: f"now holds the bundle {after}" in run.said())
        # Longer than a worker takes from its start to its first answer.
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with httpx.Client(base_url=run.url, timeout=30) as client:
                assert client.get("/readyz").status_code == 200
                assert client.get("/model").json()["model"]["version"] == before
                assert score(client, student()).json()["model"]["version"] == before

    assert before != after
    assert f"was started with {before}" in run.said()


def _all_listen(processes: list[psutil.Process]) -> bool:
    return all("onnxruntime" in str(process.memory_maps()) for process in processes)


def _replace(folder: Path) -> None:
    content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    write_manifest(Manifest.model_validate(content | {"name": "another"}), folder)
