"""The scoring service as the desk sees it: its public API over HTTP, no code of its own."""

import io
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pyarrow as pa

from cases.scoring import ScoredBatch, ScorerUnavailableError, StudentHistory, parse_answer
from records.contract import Contract
from scoring.policy.model import Policy

_log = logging.getLogger(__name__)
# For so many students in one request the service gives reasons.
MOST_WITH_REASONS = 100
ARROW = "application/vnd.apache.arrow.stream"


class ScorerError(ScorerUnavailableError):
    """The scoring service did not answer, or refused; the message holds no student's value.

    Args:
        message: What happened.
        is_temporary: Whether the same request may succeed later.
    """

    def __init__(self, message: str, *, is_temporary: bool) -> None:
        super().__init__(message)
        self.is_temporary = is_temporary


class ScorerClient:
    """Asks the scoring service; fulfils `cases.scoring.ScoringClient`. Threads may share it.

    Args:
        address: Of the service.
        token: Bearer token; None where the service asks for none.
        timeout: Seconds until a request is given up.
        transport: Replaces the network in tests of the client itself.
    """

    def __init__(
        self,
        address: str,
        token: str | None = None,
        timeout: float = 30,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=address, headers=headers, timeout=timeout, transport=transport
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def contract(self) -> Contract:
        """Return the contract of the bundle in service."""
        return Contract.model_validate(self._json("GET", "/contract"))

    def policy(self) -> Policy:
        """Return the policy of the bundle in service."""
        return Policy.model_validate(self._json("GET", "/policy"))

    def model(self) -> dict[str, Any]:
        """Return what the service says of its model."""
        return self._json("GET", "/model")

    def is_ready(self) -> bool:
        """Return whether the service would answer now."""
        try:
            return self._http.get("/readyz", timeout=2).is_success
        except httpx.HTTPError:
            return False

    def score(
        self,
        students: Sequence[StudentHistory],
        *,
        reference: Mapping[str, Any] | None = None,
        reasons: bool = True,
    ) -> ScoredBatch:
        """Assess up to 10,000 students as `/score` answers.

        Args:
            students: At least one.
            reference: As the request takes it; None for the bundle's own.
            reasons: Whether to ask for reasons.

        Raises:
            ScorerError: No answer, or a refusal of the request as a whole.
        """
        size = MOST_WITH_REASONS if reasons else len(students)
        batches = [
            self._score(students[start : start + size], reference, reasons)
            for start in range(0, len(students), size)
        ]
        if any(one.model != batches[0].model for one in batches):
            message = "The scoring service changed its model while it answered."
            raise ScorerError(message, is_temporary=True)
        return ScoredBatch(
            model=batches[0].model,
            assessments={key: one for batch in batches for key, one in batch.assessments.items()},
            problems={key: one for batch in batches for key, one in batch.problems.items()},
        )

    def _score(
        self,
        students: Sequence[StudentHistory],
        reference: Mapping[str, Any] | None,
        reasons: bool,
    ) -> ScoredBatch:
        body: dict[str, Any] = {
            "students": [{"id": one.id, "periods": one.periods} for one in students]
        }
        if reference is not None:
            body["reference"] = reference
        if reasons:
            try:
                answer = self._json("POST", "/score", body | {"reasons": True})
            except ScorerError as error:
                if error.is_temporary:
                    raise
                # A service or a bundle without reasons: an estimate alone is better than none.
                _log.warning("The scoring service gives no reasons: %s", error)
            else:
                return parse_answer(students, answer)
        return parse_answer(students, self._json("POST", "/score", body))

    def what_if(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Ask what the model would estimate for changed futures of one student.

        Raises:
            ScorerError: No answer, or a refusal.
        """
        return self._json("POST", "/what-if", dict(question))

    def assess_table(self, table: pa.Table, *, reference: str = "bundle") -> pa.Table:
        """Assess a table of any size as `/score/bulk` answers, Arrow both ways.

        Args:
            table: One row per student and period, rows of a student together.
            reference: What relative features are compared with.

        Raises:
            ScorerError: No answer, or a refusal of the table as a whole.
        """
        body = io.BytesIO()
        with pa.ipc.new_stream(body, table.schema) as writer:
            writer.write_table(table, max_chunksize=16_384)
        response = self._send(
            "POST",
            "/score/bulk",
            params={"reference": reference},
            content=body.getvalue(),
            headers={"content-type": ARROW, "accept": ARROW},
        )
        try:
            with pa.ipc.open_stream(response.content) as reader:
                return reader.read_all()
        except pa.ArrowInvalid as error:
            message = "The scoring service's table ended early."
            raise ScorerError(message, is_temporary=True) from error

    def _json(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        response = self._send(method, path, json=body)
        try:
            answer = response.json()
        except ValueError as error:
            message = f"The scoring service answered {path} with something else than JSON."
            raise ScorerError(message, is_temporary=False) from error
        if not isinstance(answer, dict):
            message = f"The scoring service answered {path} with no object."
            raise ScorerError(message, is_temporary=False)
        return answer

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            # Names of exceptions only: some messages repeat what was sent.
            message = f"The scoring service cannot be reached ({type(error).__name__})."
            raise ScorerError(message, is_temporary=True) from None
        if response.is_success:
            return response
        status = response.status_code
        is_temporary = status in {429, 502, 503, 504}
        message = f"The scoring service refused {path} with status {status}."
        raise ScorerError(message, is_temporary=is_temporary)
