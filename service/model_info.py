"""Describe the loaded model: its version, its measured quality and where it runs."""

from collections.abc import Sequence

import numpy as np
from pydantic import JsonValue

from scoring.bundle.reader import Bundle
from scoring.runtime.onnx_runtime import onnxruntime
from scoring.runtime.scorer import Scorer
from service.http.schemas import ModelInfo, ModelStamp, ParityFigure, ProviderState
from service.settings import Settings


def model_info(scorer: Scorer, settings: Settings, threads: int) -> ModelInfo:
    """Describe what is loaded, where it runs and since when."""
    bundle = scorer.bundle
    manifest = bundle.manifest
    return ModelInfo(
        model=_stamp(bundle),
        digest=manifest.digest,
        created=manifest.created,
        data_fingerprint=manifest.data_fingerprint,
        metrics={name: _figures(manifest.metrics, path) for name, path in _HEADLINES.items()},
        parity=_worst_parity(bundle),
        provider=ProviderState(
            asked=settings.provider.value,
            active=scorer.provider,
            strict=settings.strict,
            threads=threads,
            workers=settings.workers,
            precision={graph: precision.value for graph, precision in scorer.precision.items()},
            options=scorer.provider_options,
        ),
        versions={"onnxruntime": onnxruntime.__version__, "numpy": np.__version__},
        loaded_at=scorer.loaded_at,
    )


def _stamp(bundle: Bundle) -> ModelStamp:
    return ModelStamp(
        name=bundle.manifest.name,
        version=bundle.version,
        contract=bundle.contract.name,
        contract_version=bundle.contract.version,
        policy=bundle.policy.name,
        policy_version=bundle.policy.version,
        tiers=bundle.tiers.kind,
        forecast_coverage=None if bundle.intervals is None else bundle.intervals.coverage,
    )


# Where a run stores the figures of its networks (`evaluation.metrics`): the risk at the end of each
# record, the score over all periods.
_HEADLINES = {"risk": ("risk", "network", "last"), "score": ("score", "network", "overall")}


def _figures(metrics: JsonValue, path: Sequence[str]) -> dict[str, JsonValue]:
    """Return the single figures at `path`; tables and curves stay in the bundle."""
    for key in path:
        metrics = metrics.get(key) if isinstance(metrics, dict) else None
    found = metrics.items() if isinstance(metrics, dict) else ()
    return {name: figure for name, figure in found if not isinstance(figure, dict | list)}


def _worst_parity(bundle: Bundle) -> list[ParityFigure]:
    worst: dict[tuple[str, str], ParityFigure] = {}
    for row in bundle.manifest.parity:
        figure = ParityFigure(row.graph, row.provider, row.largest_difference, row.tolerance)
        worst_so_far = worst.setdefault((row.graph, row.provider), figure)
        if worst_so_far.largest_difference < figure.largest_difference:
            worst[row.graph, row.provider] = figure
    return list(worst.values())
