"""Write the files of a bundle, and seal it with its manifest."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import onnx

from export.backend import keras, tf, tf2onnx
from export.card import model_card
from scoring.bundle.manifest import (
    ContractStamp,
    ExplanationChecks,
    GapLimit,
    GraphFacts,
    Manifest,
    Parity,
    PolicyStamp,
    Variant,
)
from scoring.bundle.reader import (
    ADDITIONS,
    CALIBRATION,
    CARD,
    CONTENTS,
    CONTRACT,
    FENCES,
    INTERVALS,
    POLICY,
    REFERENCE,
    Bundle,
    read_bundle,
    sha256,
    write_manifest,
)
from scoring.policy.model import load_policy
from scoring.runtime.onnx_runtime import onnxruntime
from training.run_folder import RunFolder


def pack(
    run: RunFolder,
    folder: Path,
    *,
    graphs: Mapping[str, bytes],
    facts: Mapping[str, GraphFacts],
    policy_text: str,
    gap_limits: Sequence[GapLimit] = (),
) -> Bundle:
    """Write a bundle, its parity figures still to come, and read it back.

    Args:
        run: Where contract, fences, reference, metrics and record come from.
        folder: Existing, empty.
        graphs: Graph name -> ONNX file.
        facts: Graph name -> what it is made of.
        policy_text: TOML.
        gap_limits: What gaps between groups were held against.

    Raises:
        BundleError: The parts do not fit each other.
        ContractError: The policy is wrong or does not fit the contract.
    """
    for name, graph in graphs.items():
        (folder / facts[name].file).write_bytes(graph)
    (folder / CONTRACT).write_text(run.contract_text, encoding="utf-8")
    (folder / POLICY).write_text(policy_text, encoding="utf-8")
    (folder / FENCES).write_text(run.fences.model_dump_json(indent=2), encoding="utf-8")
    (folder / REFERENCE).write_text(run.reference.model_dump_json(indent=2), encoding="utf-8")
    (folder / CALIBRATION).write_text(run.calibration.model_dump_json(indent=2), encoding="utf-8")
    (folder / INTERVALS).write_text(run.intervals.model_dump_json(indent=2), encoding="utf-8")
    contract = run.contract
    policy = load_policy(folder / POLICY, contract)
    (folder / CARD).write_text(model_card(run, policy, gap_limits), encoding="utf-8")
    manifest = Manifest(
        name=run.record.name,
        created=datetime.now(UTC),
        contract=ContractStamp(
            name=contract.name, version=contract.version, fingerprint=contract.fingerprint
        ),
        features=contract.feature_names,
        periods=contract.periods.maximum,
        subjects=contract.targets.score.subjects,
        opset=max(
            onnx.load_model_from_string(graph).opset_import[0].version for graph in graphs.values()
        ),
        versions=library_versions(),
        graphs=dict(facts),
        parity=(),
        gap_limits=tuple(gap_limits),
        metrics=json.loads(run.metrics.model_dump_json()),  # NaN becomes null
        data_fingerprint=run.record.fingerprint,
        run=json.loads(run.record.model_dump_json()),
        policy=PolicyStamp(name=policy.name, version=policy.version),
        files={name: sha256(folder / name) for name in (*CONTENTS, *ADDITIONS)},
    )
    write_manifest(manifest, folder)
    return read_bundle(folder)


def write_card(
    run: RunFolder,
    bundle: Bundle,
    explanations: ExplanationChecks,
) -> dict[str, str]:
    """Write the model card of a packed bundle, with what was checked of its explanations.

    Returns:
        File -> SHA-256 of what was written.
    """
    card = model_card(run, bundle.policy, bundle.manifest.gap_limits, explanations)
    (bundle.path / CARD).write_text(card, encoding="utf-8")
    return {CARD: sha256(bundle.path / CARD)}


def seal(
    bundle: Bundle,
    parity: tuple[Parity, ...],
    variants: tuple[Variant, ...] = (),
    files: Mapping[str, str] | None = None,
    *,
    explanations: ExplanationChecks | None = None,
) -> Bundle:
    """Write what was proven into the bundle's manifest, and read the whole bundle back.

    Args:
        bundle: Packed.
        parity: What the gate proved.
        variants: What was measured of other precisions.
        files: File -> SHA-256 of the files that were written since.
        explanations: What was checked of reasons and what-if.
    """
    found: dict[str, object] = {
        "parity": parity,
        "variants": variants,
        "explanations": explanations,
        "files": bundle.manifest.files | dict(files or {}),
    }
    write_manifest(bundle.manifest.model_copy(update=found), bundle.path)
    return read_bundle(bundle.path)


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that made and proved the graphs."""
    return {
        "keras": str(keras.__version__),
        "tensorflow": str(tf.__version__),
        "tf2onnx": str(tf2onnx.__version__),
        "onnx": str(onnx.__version__),
        "onnxruntime": str(onnxruntime.__version__),
    }
