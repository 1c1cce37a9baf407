import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from records.contract import load_contract
from scoring.bundle.manifest import Manifest
from scoring.bundle.reader import (
    CONTENTS,
    MANIFEST,
    Bundle,
    BundleError,
    content_digest,
    read_bundle,
    sha256,
    write_manifest,
)


@pytest.fixture
def copy(bundle_dir: Path, tmp_path: Path) -> Path:
    return shutil.copytree(bundle_dir, tmp_path / "bundle")


def rewrite_manifest(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest and write all digests anew, as a careless tool would."""
    content = json.loads((folder / MANIFEST).read_text())
    change(content)
    write_manifest(Manifest.model_validate_json(json.dumps(content)), folder)


def test_a_bundle_reads_back_with_all_its_parts(bundle_dir: Path) -> None:
    bundle = read_bundle(bundle_dir)
    assert isinstance(bundle, Bundle)
    assert bundle.contract == load_contract("simulated")
    assert bundle.policy.contract == "simulated"
    assert bundle.fences.lower
    assert bundle.reference.features == bundle.contract.feature_names
    assert bundle.manifest.features == bundle.contract.feature_names
    assert bundle.risk_graph.is_file()
    assert bundle.score_graph.is_file()


def test_the_version_is_the_beginning_of_the_digest(bundle_dir: Path) -> None:
    bundle = read_bundle(bundle_dir)
    assert len(bundle.version) == 12
    assert bundle.manifest.digest.startswith(bundle.version)
    content = json.loads((bundle_dir / MANIFEST).read_text())
    assert content_digest(content) == bundle.manifest.digest


@pytest.mark.parametrize("name", [MANIFEST, *CONTENTS])
def test_a_corrupted_byte_in_any_file_is_refused(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 0x01
    (copy / name).write_bytes(content)
    with pytest.raises(BundleError, match=name):
        read_bundle(copy)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.sampled_from([MANIFEST, MANIFEST, *CONTENTS]),
    where=st.floats(0, 1, exclude_max=True),
    change=st.integers(1, 255),
)
def test_any_change_of_any_byte_is_refused(
    copy: Path, name: str, where: float, change: int
) -> None:
    original = (copy / name).read_bytes()
    content = bytearray(original)
    content[int(where * len(content))] ^= change
    (copy / name).write_bytes(content)
    try:
        with pytest.raises(BundleError, match=name):
            read_bundle(copy)
    finally:
        (copy / name).write_bytes(original)


@pytest.mark.parametrize("name", [MANIFEST, *CONTENTS])
def test_a_cut_off_file_is_refused(copy: Path, name: str) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[:-1])
    with pytest.raises(BundleError, match=name):
        read_bundle(copy)


@pytest.mark.parametrize("name", [MANIFEST, *CONTENTS])
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"{name} missing"):
        read_bundle(copy)


def test_an_unexpected_file_is_named(copy: Path) -> None:
    (copy / "notes.txt").write_text("mine")
    with pytest.raises(BundleError, match=r"notes\.txt does not belong"):
        read_bundle(copy)


def test_an_unexpected_folder_is_named(copy: Path) -> None:
    (copy / "old").mkdir()
    with pytest.raises(BundleError, match="old does not belong"):
        read_bundle(copy)


def test_a_folder_in_the_place_of_a_file_is_refused(copy: Path) -> None:
    (copy / "risk.onnx").unlink()
    (copy / "risk.onnx").mkdir()
    with pytest.raises(BundleError, match=r"risk\.onnx: not a file"):
        read_bundle(copy)


def test_no_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such folder"):
        read_bundle(tmp_path / "absent")


def test_files_that_changed_places_are_refused(copy: Path) -> None:
    (copy / "risk.onnx").rename(copy / "aside")
    (copy / "score.onnx").rename(copy / "risk.onnx")
    (copy / "aside").rename(copy / "score.onnx")
    with pytest.raises(BundleError, match=r"risk\.onnx: its content is not"):
        read_bundle(copy)


def test_an_edited_number_in_the_manifest_is_refused(copy: Path) -> None:
    text = (copy / MANIFEST).read_text()
    edited = text.replace('"largest_difference": ', '"largest_difference": 1', 1)
    assert edited != text
    (copy / MANIFEST).write_text(edited)
    with pytest.raises(BundleError, match="altered since it was written"):
        read_bundle(copy)


def test_an_edited_name_in_the_manifest_is_refused(copy: Path) -> None:
    content = json.loads((copy / MANIFEST).read_text())
    content["name"] = "better"
    (copy / MANIFEST).write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    with pytest.raises(BundleError, match="altered since it was written"):
        read_bundle(copy)


def test_a_key_written_twice_is_refused(copy: Path) -> None:
    text = (copy / MANIFEST).read_text()
    (copy / MANIFEST).write_text(text.replace("{\n", '{\n  "name": "other",\n', 1))
    with pytest.raises(BundleError, match="altered since it was written"):
        read_bundle(copy)


def test_a_manifest_of_another_format_says_so(copy: Path) -> None:
    (copy / MANIFEST).write_text('{"format": 2}')
    with pytest.raises(BundleError, match="not a manifest of format 1"):
        read_bundle(copy)


def test_a_manifest_nested_without_end_is_refused(copy: Path) -> None:
    (copy / MANIFEST).write_text("[" * 100_000)
    with pytest.raises(BundleError, match=r"manifest\.json: not valid UTF-8 JSON"):
        read_bundle(copy)


def test_a_manifest_that_is_no_object_is_refused(copy: Path) -> None:
    (copy / MANIFEST).write_text("[]")
    with pytest.raises(BundleError, match="not a manifest"):
        read_bundle(copy)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m["features"].reverse(), "feature order"),
        (lambda m: m.update(periods=99), "number of periods"),
        (lambda m: m.update(subjects=["latin"]), "subjects"),
        (lambda m: m["contract"].update(fingerprint="0" * 64), "contract"),
        (lambda m: m["policy"].update(version=99), "policy"),
    ],
)
def test_a_manifest_that_disagrees_with_the_files_is_refused(
    copy: Path, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    rewrite_manifest(copy, change)
    with pytest.raises(BundleError, match=f"the {reason} differs"):
        read_bundle(copy)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("contract.toml", "name = 3", r"contract\.toml"),
        ("policy.toml", "name = 3", r"policy\.toml"),
        ("fences.json", '{"reach": 3, "lower": {"x": 0}, "upper": {"x": 1}}', "no such features"),
        ("fences.json", '{"reach": "far", "lower": {}, "upper": {}}', r"fences\.json: reach"),
        (
            "reference.json",
            '{"features": ["x"], "count": [[1]], "mean": [[1]], "spread": [[1]]}',
            r"reference\.json: its features",
        ),
        ("reference.json", "{}", r"reference\.json: features: Field required"),
    ],
)
def test_a_part_that_cannot_be_read_is_named_even_with_fresh_digests(
    copy: Path, name: str, text: str, reason: str
) -> None:
    (copy / name).write_text(text)
    rewrite_manifest(copy, lambda m: m["files"].update({name: sha256(copy / name)}))
    with pytest.raises(BundleError, match=reason):
        read_bundle(copy)


def test_a_reference_of_other_periods_is_refused(copy: Path) -> None:
    path = copy / "reference.json"
    content = json.loads(path.read_text())
    for table in ("count", "mean", "spread"):
        content[table] = content[table][:-1]
    path.write_text(json.dumps(content))
    rewrite_manifest(copy, lambda m: m["files"].update({path.name: sha256(path)}))
    with pytest.raises(BundleError, match=r"reference\.json: its periods"):
        read_bundle(copy)


def test_a_bundle_whose_policy_speaks_of_spreads_is_to_be_exported_again(copy: Path) -> None:
    path = copy / "policy.toml"
    path.write_text(path.read_text().replace("standard_deviations =", "spreads ="))
    rewrite_manifest(copy, lambda m: m["files"].update({path.name: sha256(path)}))
    with pytest.raises(
        BundleError, match=r"standard_deviations`; rename it\n(.*\n)*Export the run"
    ):
        read_bundle(copy)
