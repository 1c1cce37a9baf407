"""Answer whole cohorts from a loaded bundle: tables or columns in, tables or columns out.

bytes -> record batches -> slices of whole students -> `TableAssessor` -> record batches -> bytes

Knows neither HTTP nor BentoML. Memory holds a slice at a time, but for JSON, which is one document.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import msgspec
import numpy as np
import pyarrow as pa

from scoring.assessment import Assessor
from scoring.intake import Admission
from scoring.model_wire import ModelProcessError
from scoring.table import AssessmentTable
from scoring.table_assessor import TableAssessor, Wanted
from scoring.table_formats import TableFormat, open_writer, read_batches
from scoring.table_intake import TableError
from service.columnar import ColumnarAnswers, ColumnarReader, merge
from service.problems import INVALID, NOT_READY, TABLE, TOO_LARGE, ErrorItem, RequestError
from service.wire import ModelStamp

# Called with students assessed, students refused, and students by the name of their tier.
Count = Callable[[int, int, Mapping[str, int]], None]
_PROBLEMS = {"malformed_table": TABLE, "batch_too_large": TOO_LARGE}


@dataclass(frozen=True, slots=True)
class BulkRequest:
    """How a request is written and what it asks for.

    Attributes:
        sent: Format of its body; None for columnar JSON.
        answer: Format of the answer; None for columnar JSON.
        wanted: Parts of the assessments.
        whole: The body is small and in memory; the answer may come in one piece.
    """

    sent: TableFormat | None
    answer: TableFormat | None
    wanted: Wanted = field(default_factory=Wanted)
    whole: bool = False


class BulkResponder:
    """Answers whole cohorts.

    Safe to call from several threads at once.

    Args:
        assessor: Scorer and policy.
        model: What stands on every answer.
        max_students: The most that one JSON document may carry, in or out.
    """

    def __init__(self, assessor: Assessor, model: ModelStamp, max_students: int) -> None:
        contract, policy = assessor.scorer.bundle.contract, assessor.policy
        self._model = model
        self._max_students = max_students
        self._tables = TableAssessor(assessor)
        self._reader = ColumnarReader(contract, max_students)
        self._columns = ColumnarAnswers(contract, policy)
        self._tiers = [tier.name for tier in policy.tiers]
        stamp = {"bellwether.model": msgspec.json.encode(model)}
        self._schema: pa.Schema = self._tables.answers.schema.with_metadata(stamp)

    def answer(
        self, source: IO[bytes], request: BulkRequest, count: Count = lambda *_: None
    ) -> Iterator[bytes]:
        """Answer a request, piece by piece as the answer is ready.

        Args:
            source: The body; seekable for Parquet.
            request: How it is written.
            count: Told of every slice.

        Raises:
            RequestError: The body cannot be read as a whole; also after some pieces, where
                something is wrong only with what comes later.
        """
        try:
            if request.answer is None:
                yield self._document(source, request, count)
            else:
                yield from self._table(source, request, request.answer, count)
        except TableError as error:
            fault = ErrorItem(None, error.field, error.code, str(error))
            problem = _PROBLEMS.get(error.code, INVALID)
            raise RequestError(problem, str(error), [fault]) from None
        except ModelProcessError as gone:
            raise RequestError(NOT_READY, str(gone)) from None

    def _table(
        self, source: IO[bytes], request: BulkRequest, kind: TableFormat, count: Count
    ) -> Iterator[bytes]:
        writer = open_writer(kind, self._schema, whole=request.whole)
        if request.sent is None:
            ids, admission = self._reader.read(source.read())
            table = self._tables.tabulate(admission, request.wanted)
            count(*self._counts(admission, len(ids), table))
            yield writer.write(self._tables.answers.batch(ids, admission, table))
        else:
            first = 0
            for part in self._parts(source, request.sent):
                one = self._tables.assess(part, first, request.wanted)
                first += one.assessed + one.refused
                tiers = dict(zip(self._tiers, one.tiers.tolist(), strict=True))
                count(one.assessed, one.refused, tiers)
                yield writer.write(one.batch)
            _check_some(first)
        yield writer.finish()

    def _document(self, source: IO[bytes], request: BulkRequest, count: Count) -> bytes:
        whole: dict[str, Any] = {}
        students = 0
        for ids, admission in self._admissions(source, request.sent):
            table = self._tables.tabulate(admission, request.wanted)
            count(*self._counts(admission, len(ids), table))
            part = self._columns.columns(ids, admission, table, students)
            students += len(ids)
            if students > self._max_students:
                message = (
                    f"One document of JSON holds {self._max_students:,} students; accept Arrow, "
                    "Parquet, CSV or JSON lines, or send fewer."
                )
                raise TableError(None, "too_many_students", message)
            if whole:
                merge(whole, part)
            else:
                whole = part
        _check_some(students)
        return msgspec.json.encode({"model": self._model, **whole})

    def _admissions(
        self, source: IO[bytes], sent: TableFormat | None
    ) -> Iterator[tuple[list[str | None], Admission]]:
        if sent is None:
            yield self._reader.read(source.read())
            return
        first = 0
        for part in self._parts(source, sent):
            ids, admission = self._tables.admit(part, first)
            yield ids, admission
            first += len(ids)

    def _parts(self, source: IO[bytes], sent: TableFormat) -> Iterator[pa.RecordBatch]:
        intake = self._tables.intake
        return self._tables.slices(read_batches(source, sent, intake.check, intake.columns))

    def _counts(
        self, admission: Admission, students: int, table: AssessmentTable | None
    ) -> tuple[int, int, dict[str, int]]:
        assessed = len(admission.ids)
        tier = np.empty(0, np.int8) if table is None else table.tier[table.tier >= 0]
        numbers = np.bincount(tier, minlength=len(self._tiers)).tolist()
        return assessed, students - assessed, dict(zip(self._tiers, numbers, strict=True))


def _check_some(students: int) -> None:
    if not students:
        message = "The table holds no row; send at least one student."
        raise TableError(None, "empty_table", message)
