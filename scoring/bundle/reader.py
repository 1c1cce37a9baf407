"""Read and verify a bundle: the one thing that crosses from training to serving.

A folder of files: the two graphs, contract, policy, fences, reference, calibration, intervals, the
model card, and the manifest with the SHA-256 of each of the others; bundles of earlier versions
lack calibration, intervals and card. Graphs in another precision are added where an export packed
some. The manifest has a digest of its own content, which is therefore the digest of the bundle and
its version.

The digests detect corruption, mixed-up files and edits by hand. They do not stop an attacker, who
would write all digests anew: store bundles where only those who release models can write.
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from records.contract import Contract, load_contract
from records.errors import BellwetherError, CohortError, ContractError
from records.learnt.calibration import Calibration
from records.learnt.fences import Fences
from records.learnt.intervals import Intervals
from records.learnt.reference import Reference
from scoring.bundle.manifest import Manifest
from scoring.policy.model import Policy, load_policy
from scoring.policy.tiers import Tiers, tiers_of
from scoring.precision import VARIANTS, Precision, variant_file
from scoring.students.relatives import Relatives

MANIFEST = "manifest.json"
CONTRACT = "contract.toml"
POLICY = "policy.toml"
FENCES = "fences.json"
REFERENCE = "reference.json"
RISK_GRAPH = "risk.onnx"
SCORE_GRAPH = "score.onnx"
CALIBRATION = "calibration.json"
INTERVALS = "intervals.json"
CARD = "model_card.md"
CONTENTS = (CONTRACT, POLICY, FENCES, REFERENCE, RISK_GRAPH, SCORE_GRAPH)
# Graphs in another precision, where an export packed some.
VARIANT_FILES = tuple(
    variant_file(graph, precision) for graph in (RISK_GRAPH, SCORE_GRAPH) for precision in VARIANTS
)
# Files that bundles have had since they are calibrated.
ADDITIONS = (CALIBRATION, INTERVALS, CARD)

Model = TypeVar("Model", bound=BaseModel)


class BundleError(BellwetherError):
    """A bundle is damaged or inconsistent; the message names the file and the fault."""


@dataclass(frozen=True)
class Bundle:
    """A verified bundle.

    Attributes:
        path: Its folder.
        manifest: What it holds and how it was made.
        contract: What a record holds.
        policy: Tiers and rules.
        fences: Beyond which values are outliers.
        reference: What is usual in the training cohort at each period.
        calibration: Maps the risk graph's logits to probabilities; holds their distribution.
        intervals: How wide the intervals around score forecasts are.
        tiers: Decides tiers, by the policy and, for capacity, the calibration.
    """

    path: Path
    manifest: Manifest
    contract: Contract
    policy: Policy
    fences: Fences
    reference: Reference
    calibration: Calibration | None
    intervals: Intervals | None
    tiers: Tiers = field(compare=False)

    @property
    def card(self) -> str | None:
        """The model card, Markdown; None in bundles of earlier versions."""
        path = self.path / CARD
        return path.read_text(encoding="utf-8") if path.is_file() else None

    @property
    def version(self) -> str:
        """First 12 digits of the bundle's digest: enough to distinguish models."""
        return self.manifest.digest[:12]

    @property
    def risk_graph(self) -> Path:
        """Path of the graph that gives the probability after every period."""
        return self.path / RISK_GRAPH

    @property
    def score_graph(self) -> Path:
        """Path of the graph that forecasts the next score after every period."""
        return self.path / SCORE_GRAPH

    def graph(self, name: str, precision: Precision = Precision.FLOAT32) -> Path:
        """Return the path of the graph `name` in `precision`, or in float32 where none is packed.

        Args:
            name: 'risk' or 'score'.
            precision: Requested.
        """
        file = self.manifest.graphs[name].file
        variant = variant_file(file, precision)
        return self.path / (variant if variant in self.manifest.files else file)


def read_bundle(path: str | Path) -> Bundle:
    """Read the bundle in the folder `path` and verify all of it.

    Raises:
        BundleError: Files missing, unexpected or altered, or parts that do not fit each other.
    """
    folder = Path(path)
    _check_complete(folder)
    manifest = _read_manifest(folder / MANIFEST)
    added = [name for name in (*ADDITIONS, *VARIANT_FILES) if name in manifest.files]
    _check_files(folder, {MANIFEST, *CONTENTS, *added})
    for name in (*CONTENTS, *added):
        if sha256(folder / name) != manifest.files.get(name):
            raise BundleError(
                f"{folder / name}: its content is not what the manifest recorded "
                "(SHA-256 differs). Export the run again, or copy the bundle again."
            )
    calibration = _read_json(folder / CALIBRATION, Calibration) if CALIBRATION in added else None
    contract = _read_contract(folder / CONTRACT)
    policy = _read_policy(folder / POLICY, contract)
    bundle = Bundle(
        path=folder,
        manifest=manifest,
        contract=contract,
        policy=policy,
        fences=_read_json(folder / FENCES, Fences),
        reference=_read_json(folder / REFERENCE, Reference),
        calibration=calibration,
        intervals=_read_json(folder / INTERVALS, Intervals) if INTERVALS in added else None,
        tiers=_tiers(folder, policy, calibration),
    )
    _check_agreement(bundle)
    return bundle


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_digest(content: dict[str, Any]) -> str:
    """Return the SHA-256 of a manifest's content in canonical JSON, its own digest left out."""
    undigested = {key: value for key, value in content.items() if key != "digest"}
    canonical = json.dumps(undigested, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def write_manifest(manifest: Manifest, folder: Path) -> Manifest:
    """Write `manifest` into `folder` under the digest of its content, and return it so."""
    content = manifest.model_dump(mode="json")
    content["digest"] = content_digest(content)
    (folder / MANIFEST).write_text(_laid_out(content), encoding="utf-8")
    return manifest.model_copy(update={"digest": content["digest"]})


def _laid_out(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _check_complete(folder: Path) -> None:
    if not folder.is_dir():
        raise BundleError(f"{folder}: no such folder.")
    present = {entry.name for entry in folder.iterdir()}
    if missing := sorted({MANIFEST, *CONTENTS} - present):
        raise BundleError(f"{folder}: {', '.join(missing)} missing; this is no complete bundle.")
    if extra := sorted(present - {MANIFEST, *CONTENTS, *ADDITIONS, *VARIANT_FILES}):
        _refuse_extra(folder, extra)
    for name in sorted(present):
        if not (folder / name).is_file():
            raise BundleError(f"{folder / name}: not a file.")


def _check_files(folder: Path, expected: set[str]) -> None:
    """Check that the folder holds exactly the files of the manifest."""
    present = {entry.name for entry in folder.iterdir()}
    if missing := sorted(expected - present):
        raise BundleError(f"{folder}: {', '.join(missing)} missing; this is no complete bundle.")
    if extra := sorted(present - expected):
        _refuse_extra(folder, extra)


def _refuse_extra(folder: Path, extra: list[str]) -> NoReturn:
    raise BundleError(
        f"{folder}: {', '.join(extra)} does not belong to a bundle; take it out of the folder."
    )


def _tiers(folder: Path, policy: Policy, calibration: Calibration | None) -> Tiers:
    try:
        return tiers_of(policy, calibration)
    except ContractError as error:
        raise BundleError(f"{folder / POLICY}: {error}") from None


def _read_manifest(path: Path) -> Manifest:
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BundleError(f"{path}: not valid UTF-8 JSON ({error}).") from None
    if not isinstance(content, dict) or content.get("format") != 1:
        raise BundleError(f"{path}: not a manifest of format 1; export with this version again.")
    # The layout is compared too: it is what catches a key written twice or a changed space.
    try:
        intact = content.get("digest") == content_digest(content) and _laid_out(content) == text
    except ValueError:
        intact = False
    if not intact:
        raise BundleError(
            f"{path}: altered since it was written (its digest differs). Export the run again."
        )
    return _validated(path, text, Manifest)


def _read_contract(path: Path) -> Contract:
    try:
        return load_contract(path)
    except ContractError as error:
        raise BundleError(str(error)) from None


def _read_policy(path: Path, contract: Contract) -> Policy:
    try:
        return load_policy(path, contract)
    except ContractError as error:
        raise BundleError(f"{error}\nExport the run again with this version.") from None


def _read_json(path: Path, model: type[Model]) -> Model:
    return _validated(path, path.read_text(encoding="utf-8"), model)


def _validated(path: Path, text: str, model: type[Model]) -> Model:
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}"
            for fault in error.errors(include_input=False)
        )
        raise BundleError(f"{path}: {faults}") from None


def _check_agreement(bundle: Bundle) -> None:
    manifest, contract = bundle.manifest, bundle.contract
    facts = (
        ("contract", manifest.contract.fingerprint, contract.fingerprint),
        ("feature order", manifest.features, contract.feature_names),
        ("number of periods", manifest.periods, contract.periods.maximum),
        ("subjects", manifest.subjects, contract.targets.score.subjects),
        ("policy", (manifest.policy.name, manifest.policy.version),
         (bundle.policy.name, bundle.policy.version)),
    )  # fmt: skip
    for what, recorded, actual in facts:
        if recorded != actual:
            raise BundleError(
                f"{bundle.path / MANIFEST}: the {what} differs from the file in the bundle."
            )
    if bundle.reference.features != contract.feature_names:
        raise BundleError(f"{bundle.path / REFERENCE}: its features are not the contract's.")
    if len(bundle.reference.count) != contract.periods.maximum:
        raise BundleError(f"{bundle.path / REFERENCE}: its periods are not the contract's.")
    _check_relatives(bundle)
    _check_typical(bundle)
    if (spread := bundle.calibration) and len(spread.slope) != contract.periods.maximum:
        raise BundleError(f"{bundle.path / CALIBRATION}: its periods are not the contract's.")
    if widths := bundle.intervals:
        if widths.subjects != contract.targets.score.subjects:
            raise BundleError(f"{bundle.path / INTERVALS}: its subjects are not the contract's.")
        if len(widths.half_width) != contract.periods.maximum:
            raise BundleError(f"{bundle.path / INTERVALS}: its periods are not the contract's.")
    if unknown := sorted(set(bundle.fences.lower) - set(contract.feature_names)):
        raise BundleError(f"{bundle.path / FENCES}: no such features: {', '.join(unknown)}.")


def _check_relatives(bundle: Bundle) -> None:
    try:
        Relatives.from_contract(bundle.contract, bundle.reference.relative)
    except CohortError as error:
        raise BundleError(f"{bundle.path / REFERENCE}: {error}") from None


def _check_typical(bundle: Bundle) -> None:
    typical, contract = bundle.reference.typical, bundle.contract
    if typical is None:
        return
    if typical.features != contract.feature_names:
        raise BundleError(f"{bundle.path / REFERENCE}: `typical` has other features.")
    if any(len(one) > contract.periods.maximum for one in typical.trajectories):
        raise BundleError(f"{bundle.path / REFERENCE}: `typical` has too many periods.")
