"""Export a run: convert, prove, pack; all of it or nothing."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from explain.bundles import check_bundle
from export.convert import lstm_layers, to_onnx
from export.gate.fairness import check_gaps, held_limits
from export.gate.gate import prove
from export.gate.structure import inspect_graph
from export.gate.variants import Limits, add_variants
from export.pack import pack, seal, write_card
from export.specification import PORTABLE_OPSET, SPECIFICATIONS
from records.contract import SHIPPED
from records.errors import BellwetherError
from records.files.replace import FolderKind, check_free, json_object_with, new_folder
from scoring.bundle.reader import ADDITIONS, CONTENTS, MANIFEST, VARIANT_FILES
from scoring.policy.model import load_policy, policy_text
from scoring.precision import Precision
from scoring.runtime.providers import Provider
from scoring.runtime.scorer import Scorer
from training.networks.builders import load_network
from training.run_folder import RunFolder

logger = logging.getLogger(__name__)


BUNDLE = FolderKind(
    "bundle",
    (MANIFEST, *CONTENTS, *ADDITIONS, *VARIANT_FILES),
    lambda folder: json_object_with(
        folder / MANIFEST, {"format", "digest", "graphs", "files", "contract", "policy"}
    ),
)


class ExportError(BellwetherError):
    """A run cannot be exported as it was asked for."""


def export_run(
    run: RunFolder,
    out: Path,
    *,
    policy: str | Path | None = None,
    overwrite: bool = False,
    max_gaps: Mapping[str, float] | None = None,
    portable: bool = False,
    precisions: Sequence[Precision] = (),
    limits: Limits | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Path:
    """Turn a run into a bundle, if its graphs pass the gate.

    The bundle is made beside `out` and renamed once it is complete: after any failure, no part
    of it is left.

    Args:
        run: A fitted run.
        out: Folder of the bundle.
        policy: Name of a shipped policy or path of a TOML file; None for the shipped policy of the
            run's contract.
        overwrite: Whether a bundle that is there already gives way, once the new one is complete.
        max_gaps: Figure -> largest difference between two groups of an audit attribute that is
            allowed (`export.gate.fairness`); manifest and card tell them.
        portable: Whether to use only operators that nearly every provider has.
        precisions: Other precisions to try; graphs in them that win are packed too.
        limits: What counts as winning (`export.gate.variants`).
        progress: Called with stage, step and number of steps.

    Returns:
        `out`.

    Raises:
        ReplaceError: Something is in the way at `out`.
        ExportError: No policy was given and none is shipped for the contract.
        FairnessError: A gap between groups is larger than allowed.
        GateError: A graph does not match its specification, or not equal to its Keras model.
        ContractError: No such policy, or one that does not fit the contract.
    """
    check_free(out, BUNDLE, overwrite=overwrite)
    if max_gaps:
        for question in check_gaps(run.metrics.fairness, max_gaps):
            logger.warning("%s", question)
    if policy is None and run.contract.name not in SHIPPED:
        raise ExportError(
            f"no policy is shipped for the contract '{run.contract.name}'; pass one of your own "
            "(--policy FILE.toml; docs/policy.md shows how to write it)."
        )
    source = run.contract.name if policy is None else policy
    load_policy(source, run.contract)  # before the slow steps
    report = progress or (lambda *_: None)
    models, graphs, facts = {}, {}, {}
    for step, specification in enumerate(SPECIFICATIONS):
        report("Converting to ONNX", step, len(SPECIFICATIONS))
        name = specification.name
        models[name] = load_network(run.path / specification.keras_file)
        opset = PORTABLE_OPSET if portable else specification.opset
        expected = replace(
            specification,
            lstm_nodes=lstm_layers(models[name]),
            opset=opset,
            longest=run.contract.periods.maximum,
        )
        graphs[name] = to_onnx(models[name], expected)
        facts[name] = inspect_graph(graphs[name], expected, run.contract)
    report("Converting to ONNX", len(SPECIFICATIONS), len(SPECIFICATIONS))
    with new_folder(out, BUNDLE, overwrite=overwrite) as folder:
        bundle = pack(
            run,
            folder,
            graphs=graphs,
            facts=facts,
            policy_text=policy_text(source),
            gap_limits=held_limits(run.metrics.fairness, max_gaps or {}),
        )
        heldout = run.heldout()
        parity = prove(bundle, models, heldout, progress=progress)
        variants, files = add_variants(bundle, heldout, precisions, limits or Limits())
        report("Checking explanations", 0, 1)
        explanations = check_bundle(Scorer(bundle, provider=Provider.CPU), heldout)
        report("Checking explanations", 1, 1)
        files |= write_card(run, bundle, explanations)
        seal(bundle, parity, variants, files, explanations=explanations)
    return out
