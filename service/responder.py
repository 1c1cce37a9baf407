"""Respond to requests from a loaded bundle: bytes in, bytes out. Independent of HTTP and BentoML.

body -> `RequestReader` -> `StudentBatch` -> `Scorer` -> `Assessor` -> `AssessmentTable` -> body

The students of several requests go through the model and the policy together. Each response is
made of the rows and faults of its own request alone.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import msgspec
import numpy as np
from pydantic import TypeAdapter

from records.arrays import Bools, Floats, Ints, Positions
from scoring.assessment.assessor import Assessor
from scoring.bundle.reader import read_bundle
from scoring.results import STATUSES, AssessmentTable
from scoring.runtime.providers import RUNTIME_NAMES, Provider, thread_count
from scoring.runtime.scorer import Scorer
from scoring.steps import Steps, finish
from scoring.students.intake import Intake
from scoring.students.relatives import Relatives
from service.answered import Answered, StageSeconds, count_by_name, refused_rows
from service.explain.reasons import Explaining, Explanation, ReasonsResponder
from service.explain.what_if import WhatIfResponder
from service.http.problems import STUDENTS, RequestError
from service.http.sample import sample_students
from service.http.schemas import (
    ModelInfo,
    ScoreAnswer,
    StudentAssessment,
    of_explained_student,
    of_student,
)
from service.model_info import model_info
from service.rows.decoder import RequestReader, ScoreRequest
from service.rows.encoder import TableEncoder
from service.settings import Settings

SAMPLE_STUDENTS = 3
T = TypeVar("T")
_NO_ERRORS = b'],"errors":[]}'
_NOTHING, _NO_STUDENT = np.empty(0, np.intp), np.empty(0, np.int8)
_NO_CARD = (
    "This bundle has no model card: it was exported by an earlier version. Export it again.\n"
)


@dataclass(frozen=True, slots=True)
class Answers:
    """Responses to several requests of one pass.

    Attributes:
        results: One a request, in order: its response, the work that adds reasons to it, or why
            none of its students can be scored.
        stages: Seconds of the whole pass.
        executions: Rows of each execution of the risk graph.
        tiers: Students by the name of their tier; every tier of the policy is a key.
        statuses: Students by status; every status is a key.
        outliers: (values,) position of the feature of each outlier.
    """

    results: list[Answered | Explaining | RequestError]
    stages: StageSeconds
    executions: tuple[int, ...]
    tiers: dict[str, int]
    statuses: dict[str, int]
    outliers: Positions

    @property
    def bodies(self) -> list[bytes]:
        """JSON bodies in order; of a refused request its problem details."""
        return [
            result.body() if isinstance(result, RequestError) else finished(result).body
            for result in self.results
        ]


class Responder:
    """A bundle, loaded and warmed up, that responds to requests.

    Safe to call from several threads at once.

    Args:
        folder: The bundle's folder.
        settings: Provider, threads and limits.

    Raises:
        BundleError: The bundle cannot be trusted.
        ProviderError: Strict, and the requested provider is not available.

    Attributes:
        bundle: The bundle.
        assessor: Scorer and policy.
        max_students: Most students of one JSON document.
        contract: Response body of `contract`, JSON.
        policy: Response body of `policy`, JSON.
        model: Response body of `model`, JSON.
        reasons: Finds reasons.
        what_if: Answers `what-if`.
        card: Response body of `card`, Markdown.
        sample_request: A valid request body for `score`, made from the contract.
        sample_answer: The response of `score` to it.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.bundle = read_bundle(folder)
        threads = settings.threads or thread_count(settings.workers)
        self._scorer = Scorer(
            self.bundle,
            provider=settings.provider,
            strict=settings.strict,
            threads=threads,
            precision=settings.precision,
            device=settings.device_options,
        )
        self._scorer.warm_up()
        self.assessor = Assessor(self._scorer)
        self.max_students = settings.max_students
        self._tiers = [tier.name for tier in self.bundle.policy.tiers]
        # None where no feature is relative: there is nothing to fill in.
        self._relatives = Relatives.from_contract(
            self.bundle.contract, self.bundle.reference.relative
        )
        self._intake = Intake(self.bundle.contract)
        self._reader = RequestReader(self._intake, settings.max_students, self._relatives)
        self.reasons = ReasonsResponder(self._scorer)
        self.info = model_info(self._scorer, settings, threads)
        self._encoder = TableEncoder(
            self.bundle.contract, self.bundle.policy, self.assessor.recommender.templates
        )
        # All responses begin with the same bytes.
        empty = msgspec.json.encode(ScoreAnswer(self.info.model, [], []))
        self._before = empty.removesuffix(_NO_ERRORS)
        self.contract = self.bundle.contract.model_dump_json().encode()
        self.policy = self.bundle.policy.model_dump_json(by_alias=True).encode()
        self.model = TypeAdapter(ModelInfo).dump_json(self.info)
        self.card = (self.bundle.card or _NO_CARD).encode()
        sample = sample_students(self.bundle.contract, self.bundle.reference, SAMPLE_STUDENTS)
        self.what_if = WhatIfResponder(
            self._scorer,
            self.assessor,
            intake=self._intake,
            relatives=self._relatives,
            stamp=self.info.model,
            sample=sample[0],
        )
        self.sample_request = msgspec.json.encode({"students": sample, "recommendations": True})
        self.sample_answer = self.score(self.sample_request).body

    def read(self, body: bytes) -> ScoreRequest:
        """Read the body of a `score` request.

        Raises:
            RequestError: It cannot be read as a whole: no JSON, not the expected shape, no
                student, too many.
        """
        return self._reader.read(body)

    def answer(self, requests: Sequence[ScoreRequest]) -> Answers:
        """Respond to several requests in one pass over all their students.

        Options and faults of one request never affect another.
        """
        valid = [request for request in requests if request.students.ids]
        results: Iterator[Answered | Explaining] = iter(())
        stages = StageSeconds()
        executions: tuple[int, ...] = ()
        table: AssessmentTable | None = None
        started = perf_counter()
        if valid:
            values, lengths = self._intake.to_arrays([request.students for request in valid])
            reference = None
            if self._relatives is not None:
                values, reference = self._relatives.complete(
                    values, [request.students for request in valid]
                )
            forecast = _requested([request.forecast for request in valid], valid)
            advice = _requested([request.recommendations for request in valid], valid)
            scores = self._scorer.score(values, lengths, forecast=forecast)
            computed = perf_counter()
            table = self.assessor.tabulate(
                values, lengths, scores, recommendations=advice, reference=reference
            )
            decided = perf_counter()
            results = iter(self._encoded(valid, values, lengths, table))
            ended = perf_counter()
            executions = scores.executions
            stages = StageSeconds(computed - started, decided - computed, ended - decided)
        return Answers(
            results=[
                next(results) if request.students.ids else _refusal(request) for request in requests
            ],
            stages=stages,
            executions=executions,
            tiers=count_by_name(self._tiers, _NO_STUDENT if table is None else table.tier),
            statuses=count_by_name(STATUSES, _NO_STUDENT if table is None else table.status),
            outliers=_NOTHING if table is None else table.outliers.feature,
        )

    def score(self, body: bytes) -> Answered:
        """Respond to a `score` request.

        Raises:
            RequestError: It cannot be read, or none of its students can be scored.
        """
        (result,) = self.answer([self.read(body)]).results
        if isinstance(result, RequestError):
            raise result
        return finished(result)

    def score_students(  # noqa: PLR0917 - fields of a request
        self,
        students: Any,
        recommendations: Any = True,
        forecast: Any = True,
        reference: Any = "bundle",
        reasons: Any = False,
        estimates: Any = False,
    ) -> ScoreAnswer:
        """Respond to a `score` request whose fields are JSON-like Python objects.

        Raises:
            RequestError: As `score`.
        """
        request = self._reader.admit(
            students, recommendations, forecast, reference, reasons, estimates
        )
        admitted = request.students
        if not admitted.ids:
            raise _refusal(request)
        values, origins = admitted.values, None
        if self._relatives is not None:
            values, origins = self._relatives.complete(values, [admitted])
        scores = self._scorer.score(values, admitted.lengths, forecast=request.forecast)
        table = self.assessor.tabulate(
            values,
            admitted.lengths,
            scores,
            recommendations=request.recommendations,
            reference=origins,
        )
        assessments = self.assessor.to_assessments(table)
        if not request.is_explained:
            return self._answer(request, assessments, of_student)
        found = finish(self._explanations(request, values, admitted.lengths, table))
        return self._answer(request, zip(assessments, found, strict=True), of_explained_student)

    @property
    def unready(self) -> str | None:
        """Why the service is not ready, or None where it is."""
        asked, active = Provider(self.info.provider.asked), self.info.provider.active
        if asked is Provider.AUTO or active == RUNTIME_NAMES[asked]:
            return None
        return (
            f"Execution provider '{asked}' was requested and {active} is in use. "
            "Install what it needs, or request 'auto' if any provider will do."
        )

    def _encoded(
        self,
        requests: Sequence[ScoreRequest],
        values: Floats,
        lengths: Ints,
        table: AssessmentTable,
    ) -> list[Answered | Explaining]:
        admitted = [request.students for request in requests]
        ids = list(chain.from_iterable(students.ids for students in admitted))
        rows = list(chain.from_iterable(students.rows.tolist() for students in admitted))
        encoded = self._encoder.encode(table, ids, rows)
        answered: list[Answered | Explaining] = []
        start = 0
        for request, students in zip(requests, admitted, strict=True):
            end = start + len(students.ids)
            after, refused = _NO_ERRORS, 0
            if students.faults:
                errors = students.faults
                after = b'],"errors":%b}' % msgspec.json.encode(errors)
                refused = refused_rows(errors)
            write = partial(encoded.listed, start, end, self._before, after)
            if not request.is_explained:
                answered.append(Answered(write(), end - start, refused))
            else:
                found = self._explanations(
                    request, values[start:end], lengths[start:end], table.part(start, end)
                )
                answered.append(
                    self.reasons.explaining(found, end - start, write=write, refused=refused)
                )
            start = end
        return answered

    def _explanations(
        self, request: ScoreRequest, values: Floats, lengths: Ints, table: AssessmentTable
    ) -> Steps[list[Explanation]]:
        return self.reasons.explain_in_steps(
            values, lengths, table, view=request.reasons, has_estimates=request.estimates
        )

    def _answer(
        self,
        request: ScoreRequest,
        assessments: Iterable[T],
        of: Callable[[str, int, T], StudentAssessment],
    ) -> ScoreAnswer:
        students = request.students
        rows = students.rows.tolist()
        return ScoreAnswer(
            model=self.info.model,
            assessments=list(map(of, students.ids, rows, assessments)),
            errors=students.faults,
        )


def finished(answer: Answered | Explaining) -> Answered:
    """Return an answer with its reasons, found at once."""
    if isinstance(answer, Answered):
        return answer
    return Answered(finish(answer.steps), answer.assessed, answer.refused)


def _requested(options: Sequence[bool], requests: Sequence[ScoreRequest]) -> bool | Bools:
    """Return whether a part is requested: by all, by none, or row by row."""
    if all(options) or not any(options):
        return options[0]
    return np.repeat(options, [len(request.students.ids) for request in requests])


def _refusal(request: ScoreRequest) -> RequestError:
    detail = "None of the students can be scored; each error names what to correct."
    return RequestError(STUDENTS, detail, request.students.faults)
