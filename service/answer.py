"""Answer requests from a loaded bundle: bytes in, bytes out. Knows neither HTTP nor BentoML.

body -> `RequestReader` -> admitted students -> `Assessor` -> `ScoreAnswer` -> body
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnxruntime
from pydantic import JsonValue, TypeAdapter

from scoring.assessment import Assessor
from scoring.bundle import Bundle, read_bundle
from scoring.intake import Intake
from scoring.providers import RUNTIME_NAMES, Provider, thread_count
from scoring.scorer import Scorer
from service.problems import STUDENTS, ErrorItem, RequestError, error_items
from service.request import RequestReader, ScoreRequest
from service.sample import sample_students
from service.settings import Settings
from service.wire import (
    ModelInfo,
    ModelStamp,
    ParityFigure,
    ProviderState,
    ScoreAnswer,
    of_student,
)

SAMPLE_STUDENTS = 3


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer to a `score` request, and what the metrics want to know of it.

    Attributes:
        body: JSON.
        assessed: Students in it.
        refused: Students that were refused.
    """

    body: bytes
    assessed: int
    refused: int


class Responder:
    """A bundle, loaded and warmed up, that answers requests.

    Safe to call from several threads at once.

    Args:
        folder: The bundle's folder.
        settings: Provider, threads and limits.

    Raises:
        BundleError: The bundle cannot be trusted.
        ProviderError: Strict, and the provider that was asked for cannot answer.

    Attributes:
        bundle: The bundle.
        contract: Body of the `contract` answer, JSON.
        policy: Body of the `policy` answer, JSON.
        model: Body of the `model` answer, JSON.
        sample_request: A valid body for `score`, made up from the contract.
        sample_answer: What `score` answers to it, really.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.bundle = read_bundle(folder)
        threads = settings.threads or thread_count(settings.workers)
        self._scorer = Scorer(
            self.bundle, provider=settings.provider, strict=settings.strict, threads=threads
        )
        self._scorer.warm_up()
        self._assessor = Assessor(self._scorer)
        self._reader = RequestReader(Intake(self.bundle.contract), settings.max_students)
        self.info = self._info(settings, threads)
        self.contract = self.bundle.contract.model_dump_json().encode()
        self.policy = self.bundle.policy.model_dump_json(by_alias=True).encode()
        self.model = TypeAdapter(ModelInfo).dump_json(self.info)
        sample = sample_students(self.bundle.contract, self.bundle.reference, SAMPLE_STUDENTS)
        self.sample_request = msgspec.json.encode({"students": sample, "recommendations": True})
        self.sample_answer = self.score(self.sample_request).body

    def score(self, body: bytes) -> Answered:
        """Answer a `score` request.

        Raises:
            RequestError: It cannot be read, or none of its students can be scored.
        """
        answer = self._answer(self._reader.read(body))
        return Answered(
            body=msgspec.json.encode(answer),
            assessed=len(answer.assessments),
            refused=refused_rows(answer.errors),
        )

    def score_students(self, students: Any, recommendations: Any) -> ScoreAnswer:
        """Answer a `score` request whose fields are JSON-like Python objects already.

        Raises:
            RequestError: As `score`.
        """
        return self._answer(self._reader.admit(students, recommendations))

    @property
    def unready(self) -> str | None:
        """Say why requests should go elsewhere, or None where they should come here."""
        asked, active = Provider(self.info.provider.asked), self.info.provider.active
        if asked is Provider.AUTO or active == RUNTIME_NAMES[asked]:
            return None
        return (
            f"Execution provider '{asked}' was asked for and {active} answers. "
            "Mend that, or ask for 'auto' if any will do."
        )

    def _answer(self, request: ScoreRequest) -> ScoreAnswer:
        students = request.students
        errors = error_items(students.faults)
        if not students.ids:
            detail = "None of the students can be scored; each error says what to mend."
            raise RequestError(STUDENTS, detail, errors)
        assessments = self._assessor.assess(
            students.values, students.lengths, recommendations=request.recommendations
        )
        rows = students.rows.tolist()
        return ScoreAnswer(
            model=self.info.model,
            assessments=list(map(of_student, students.ids, rows, assessments)),
            errors=errors,
        )

    def _info(self, settings: Settings, threads: int) -> ModelInfo:
        manifest = self.bundle.manifest
        return ModelInfo(
            model=_stamp(self.bundle),
            digest=manifest.digest,
            created=manifest.created,
            data_fingerprint=manifest.data_fingerprint,
            metrics={name: _figures(manifest.metrics, path) for name, path in _HEADLINES.items()},
            parity=_worst_parity(self.bundle),
            provider=ProviderState(
                asked=settings.provider.value,
                active=self._scorer.provider,
                strict=settings.strict,
                threads=threads,
                workers=settings.workers,
            ),
            versions={"onnxruntime": onnxruntime.__version__, "numpy": np.__version__},
            loaded_at=self._scorer.loaded_at,
        )


def refused_rows(errors: Sequence[ErrorItem]) -> int:
    """Count the students that errors speak of."""
    return len({error.row for error in errors if error.row is not None})


def _stamp(bundle: Bundle) -> ModelStamp:
    return ModelStamp(
        name=bundle.manifest.name,
        version=bundle.version,
        contract=bundle.contract.name,
        contract_version=bundle.contract.version,
        policy=bundle.policy.name,
        policy_version=bundle.policy.version,
    )


# Where a run keeps the figures of its networks (`training.metrics`): the risk at the end of each
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
        known = worst.setdefault((row.graph, row.provider), figure)
        if known.largest_difference < figure.largest_difference:
            worst[row.graph, row.provider] = figure
    return list(worst.values())
