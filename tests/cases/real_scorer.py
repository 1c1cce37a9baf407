"""The scoring service's own answers, from a real bundle, without a process between."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cases.scoring import ScoredBatch, StudentHistory, parse_answer
from records.contract import Contract
from scoring.policy.model import Policy
from service.http.problems import RequestError
from service.responder import Responder
from service.settings import Settings


class RealScorer:
    """Scores with a bundle as the service does.

    Args:
        folder: The bundle.
    """

    def __init__(self, folder: Path) -> None:
        self._responder = Responder(folder, Settings(provider="cpu"))

    def contract(self) -> Contract:
        return self._responder.bundle.contract

    def policy(self) -> Policy:
        return self._responder.bundle.policy

    def score(
        self,
        students: Sequence[StudentHistory],
        *,
        reference: Mapping[str, Any] | None = None,
        reasons: bool = True,
    ) -> ScoredBatch:
        del reasons
        body: dict[str, Any] = {
            "students": [{"id": one.id, "periods": one.periods} for one in students]
        }
        if reference is not None:
            body["reference"] = reference
        try:
            answer = json.loads(self._responder.score(json.dumps(body).encode()).body)
        except RequestError as error:
            raise AssertionError(error.body()) from error
        return parse_answer(students, answer)
