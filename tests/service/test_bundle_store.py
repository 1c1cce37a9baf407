"""Bundles live in the BentoML model store under a tag that says what they are."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from bentoml._internal.configuration.containers import BentoMLContainer
from bentoml._internal.models import ModelStore

from scoring.bundle.reader import BundleError, read_bundle
from service.bundle_store import StoreError, delete_bundle, find_bundle, list_bundles, save_bundle


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> Iterator[ModelStore]:
    """A model store of this test's own."""
    folder = tmp_path / "models"
    folder.mkdir()
    store = ModelStore(folder)
    BentoMLContainer.model_store.set(store)
    yield store
    BentoMLContainer.model_store.reset()


def test_a_saved_bundle_is_found_by_its_tag_and_whole(bundle_dir: Path) -> None:
    tag = save_bundle(bundle_dir)
    version = read_bundle(bundle_dir).version

    assert tag == f"bellwether:simulated-{version}"
    for name in (tag, "latest", "bellwether", f"simulated-{version}", "bellwether:latest"):
        assert read_bundle(find_bundle(name)).manifest == read_bundle(bundle_dir).manifest


def test_a_folder_is_found_as_it_is(bundle_dir: Path) -> None:
    assert find_bundle(bundle_dir) == bundle_dir.resolve()
    assert find_bundle(str(bundle_dir)) == bundle_dir.resolve()


def test_the_list_says_what_is_held(bundle_dir: Path) -> None:
    assert list_bundles() == []
    tag = save_bundle(bundle_dir)

    [stored] = list_bundles()
    assert stored.tag == tag
    assert stored.contract == "simulated"
    assert stored.name == read_bundle(bundle_dir).manifest.name
    assert stored.path == find_bundle(tag)


def test_saving_again_keeps_the_tag_and_makes_it_the_latest(
    bundle_dir: Path, store: ModelStore
) -> None:
    first = save_bundle(bundle_dir)
    saved_at = list_bundles()[0].saved_at

    assert save_bundle(bundle_dir) == first
    assert len(list_bundles()) == 1
    assert list_bundles()[0].saved_at > saved_at
    assert str(store.get("bellwether:latest").tag) == first


def test_the_metadata_tells_what_is_inside(bundle_dir: Path, store: ModelStore) -> None:
    info = store.get(save_bundle(bundle_dir)).info
    manifest = read_bundle(bundle_dir).manifest

    assert info.labels["contract"] == "simulated"
    assert info.metadata["digest"] == manifest.digest
    assert info.metadata["data_fingerprint"] == manifest.data_fingerprint


def test_a_tampered_bundle_is_not_saved(bundle_dir: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(bundle_dir, copy)
    (copy / "policy.toml").write_text("", encoding="utf-8")

    with pytest.raises(BundleError, match=r"policy\.toml"):
        save_bundle(copy)
    assert list_bundles() == []


def test_a_deleted_bundle_is_gone(bundle_dir: Path) -> None:
    tag = save_bundle(bundle_dir)
    delete_bundle(tag)

    assert list_bundles() == []
    with pytest.raises(StoreError, match="none yet"):
        delete_bundle(tag)


def test_what_is_not_there_is_refused_with_what_is(bundle_dir: Path) -> None:
    tag = save_bundle(bundle_dir)

    with pytest.raises(StoreError, match=tag):
        find_bundle("bellwether:oulad-1")
    with pytest.raises(StoreError, match="no such folder"):
        find_bundle("build/bundles/nothing")
    with pytest.raises(StoreError, match="neither a folder nor a bundle"):
        find_bundle("Not A Tag")
