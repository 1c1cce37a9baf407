"""Bundles in the BentoML model store: `bellwether:<contract>-<version>`, newest is `latest`."""

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import bentoml
from bentoml.exceptions import BentoMLException, NotFound

from records.errors import BellwetherError
from scoring.bundle.reader import Bundle, read_bundle

NAME = "bellwether"
# BentoML adds a file of its own to the model's folder, and a bundle holds nothing but its own.
_FOLDER = "bundle"
_VERSION_LENGTH = 63


class StoreError(BellwetherError):
    """The model store does not hold what was asked for."""


@dataclass(frozen=True, slots=True)
class StoredBundle:
    """One bundle of the model store.

    Attributes:
        tag: `bellwether:<contract>-<version>`.
        contract: Name of the contract that it was trained on.
        name: Name of the run.
        saved_at: When it was saved, UTC.
        path: The bundle's folder.
    """

    tag: str
    contract: str
    name: str
    saved_at: datetime
    path: Path


def save_bundle(folder: str | Path) -> str:
    """Copy the bundle at `folder` into the model store, where it becomes `bellwether:latest`.

    Saving the same bundle again keeps its tag.

    Returns:
        The tag.

    Raises:
        BundleError: The bundle cannot be trusted; nothing is saved.
    """
    bundle = read_bundle(folder)
    tag = f"{NAME}:{_version(bundle)}"
    manifest = bundle.manifest
    with bentoml.models.create(
        tag,
        labels={"contract": bundle.contract.name, "run": manifest.name},
        metadata={
            "digest": manifest.digest,
            "created": manifest.created.isoformat(),
            "contract_version": bundle.contract.version,
            "policy": f"{manifest.policy.name} {manifest.policy.version}",
            "data_fingerprint": manifest.data_fingerprint,
            "largest_difference_from_keras": max(
                (parity.largest_difference for parity in manifest.parity), default=0.0
            ),
        },
    ) as model:
        shutil.copytree(bundle.path, Path(model.path) / _FOLDER)
        with contextlib.suppress(NotFound):
            bentoml.models.delete(tag)
    return tag


def list_bundles() -> list[StoredBundle]:
    """List the bundles of the model store, newest first."""
    try:
        models = bentoml.models.list(NAME)
    except NotFound:
        return []
    stored = [
        StoredBundle(
            tag=str(model.tag),
            contract=model.info.labels.get("contract", ""),
            name=model.info.labels.get("run", ""),
            saved_at=model.info.creation_time,
            path=Path(model.path) / _FOLDER,
        )
        for model in models
    ]
    return sorted(stored, key=lambda bundle: bundle.saved_at, reverse=True)


def delete_bundle(tag: str) -> None:
    """Remove one bundle from the model store.

    Raises:
        StoreError: There is none of that tag.
    """
    try:
        bentoml.models.delete(_full(tag))
    except (BentoMLException, ValueError) as error:
        raise StoreError(_missing(tag)) from error


def find_bundle(source: str | Path) -> Path:
    """Return the folder of a bundle: `source` is a folder, or a tag of the model store.

    A tag may leave out its name (`latest`, `oulad-3f9a2c1b7d4e`).

    Raises:
        StoreError: `source` is neither.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if isinstance(source, Path) or os.sep in source:
        raise StoreError(f"{source}: no such folder. Make a bundle with `bellwether export`.")
    try:
        model = bentoml.models.get(_full(source))
    except (BentoMLException, ValueError) as error:
        raise StoreError(_missing(source)) from error
    return Path(model.path) / _FOLDER


def _full(tag: str) -> str:
    return tag if ":" in tag else f"{NAME}:{'latest' if tag == NAME else tag}"


def _missing(tag: str) -> str:
    held = ", ".join(bundle.tag for bundle in list_bundles()) or "none yet"
    return (
        f"'{tag}' is neither a folder nor a bundle of the model store ({held}). "
        "Save one with `bellwether bundle save`."
    )


def _version(bundle: Bundle) -> str:
    """Name the version after contract and digest, within what a tag may be."""
    contract = re.sub(r"[^a-z0-9_.-]", "-", bundle.contract.name)
    return f"{contract[: _VERSION_LENGTH - len(bundle.version) - 1]}-{bundle.version}"
