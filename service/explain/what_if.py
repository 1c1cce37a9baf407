"""Answer `what-if` requests from a loaded bundle, in steps."""

from dataclasses import dataclass, fields
from operator import attrgetter
from time import perf_counter
from typing import Annotated, Any

import msgspec
import numpy as np
from pydantic import Field

from explain.bundles import simulator_of
from explain.checks import hidden_by
from explain.what_if.simulator import WhatIfRequest
from explain.what_if.types import WhatIf
from records.arrays import Ints
from scoring.assessment.assessor import Assessor
from scoring.runtime.scorer import Scorer
from scoring.steps import Steps, finish
from scoring.students.intake import Intake
from scoring.students.relatives import Relatives
from service.explain.what_if_reader import WhatIfQuestion, WhatIfReader
from service.http.problems import RequestError, refuse_field
from service.http.schemas import ModelStamp

_json = msgspec.json.Encoder().encode


@dataclass(frozen=True)
class _Stamped:
    """Whose answer it is, and from which model."""

    model: ModelStamp
    id: Annotated[str, Field(description="The student's id, as sent.", examples=["s-1"])]


@dataclass(frozen=True, slots=True)
class WhatIfAnswer(WhatIf, _Stamped):
    """What the model would estimate in several futures of one student.

    Estimates for futures that somebody chose. They are no promises, and no statement of causes.
    """


_of_what_if = attrgetter(*(part.name for part in fields(WhatIf)))


class WhatIfResponder:
    """Answers `what-if` requests.

    Args:
        scorer: The bundle, warmed up.
        assessor: Decides whether enough is known of a student.
        intake: Reads students.
        relatives: Fills relative features in; None where the contract has none.
        stamp: The model, as answers name it.
        sample: A student of whom something is known; the cost is measured with it.

    Attributes:
        seconds: What an answer takes, measured.
        sample_request: A valid body.
        sample_answer: What is answered to it, really.
    """

    def __init__(
        self,
        scorer: Scorer,
        assessor: Assessor,
        *,
        intake: Intake,
        relatives: Relatives | None,
        stamp: ModelStamp,
        sample: dict[str, Any],
    ) -> None:
        hidden = hidden_by(scorer.bundle.manifest.explanations)
        self._scorer = scorer
        self._assessor = assessor
        self._simulator = simulator_of(scorer, hidden)
        self._reader = WhatIfReader(intake, relatives, hidden.features)
        self._stamp = stamp
        student = {**sample, "periods": sample["periods"][:-1]}
        self.sample_request: dict[str, Any] = {"student": student, "below": 0.4}
        self.sample_answer: bytes | None = None
        self.seconds = 0.01
        try:
            for _ in range(2):
                began = perf_counter()
                self.sample_answer = finish(self.steps(_json(self.sample_request)))
                self.seconds = perf_counter() - began
        except RequestError:
            self.sample_answer = None  # a policy may ask for more than the sample knows

    def steps(self, body: bytes) -> Steps[bytes]:
        """Return what answers a body.

        Raises:
            RequestError: While it is done: the body cannot be read, or too little is known.
        """
        return _encoded(self._answered(self._reader.read(body)))

    def answer(self, request: object) -> WhatIfAnswer:
        """Answer a request whose fields are JSON-like Python objects already.

        Raises:
            RequestError: It cannot be read, or too little is known of the student.
        """
        return finish(self._answered(self._reader.convert(request)))

    def _answered(self, question: WhatIfQuestion) -> Steps[WhatIfAnswer]:
        lengths: Ints = np.full(1, question.length, np.int32)
        scores = self._scorer.score(question.values, lengths, forecast=False)
        table = self._assessor.tabulate(question.values, lengths, scores, recommendations=False)
        risk = float(table.risk[0])
        if np.isnan(risk):
            message = "Too little is known of the student for an estimate, so none can be changed."
            raise refuse_field("student", "not_enough_data", message)
        yield
        found = yield from self._simulator.simulate_in_steps(
            WhatIfRequest(
                history=question.values[0, : question.length],
                risk=risk,
                periods=question.periods,
                futures=question.futures,
                has_recourse=question.has_recourse,
                below=question.below,
                moments=question.moments,
            )
        )
        return WhatIfAnswer(*[self._stamp, question.id, *_of_what_if(found)])


def _encoded(answer: Steps[WhatIfAnswer]) -> Steps[bytes]:
    return _json((yield from answer))
