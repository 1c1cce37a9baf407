"""`python -m benchmarks.stages BUNDLE`: where the time of a request goes, stage by stage.

Every round takes one request apart, then answers the same request whole, then runs the two graphs
alone: so each figure is taken with the caches as the others leave them, and slow spells of a
shared machine fall on all of them alike.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.cores import choose_cores, pinned
from benchmarks.machine import describe_machine
from benchmarks.students import StudentSource
from records.errors import BellwetherError
from scoring.assessment import Assessor
from scoring.intake import Intake
from scoring.providers import Provider, open_session
from scoring.scorer import CHUNK, Scorer
from service.answer import Responder
from service.encoding import TableEncoder
from service.settings import Settings
from service.wire import ScoreAnswer

SIZES = (1, 30, CHUNK)
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Stages:
    """CPU time of one request, µs, medians over the rounds; one thread.

    Attributes:
        decode: JSON to typed students.
        intake: Typed students to arrays.
        compute: `Scorer.score`: arrays to risks and scores, both graphs within.
        policy: `Assessor.tabulate`: tiers, trajectories, rules and recommendations.
        encode: Assessments to JSON.
        whole: `Responder.score`: all of the above in one.
        graphs: ONNX Runtime alone on the two graphs.
    """

    decode: float
    intake: float
    compute: float
    policy: float
    encode: float
    whole: float
    graphs: float


@dataclass(frozen=True, slots=True)
class Measured:
    """The stages at one size of request.

    Attributes:
        rows: Students in the request.
        advised: Share of them that were given recommendations.
        stages: Where the time went.
    """

    rows: int
    advised: float
    stages: Stages


def measure_stages(
    bundle: Path, *, sizes: Sequence[int] = SIZES, seconds: float = 2.0
) -> list[Measured]:
    """Time requests with complete histories in this process, on one thread of the CPU.

    Args:
        bundle: Bundle folder.
        sizes: Students in a request, at most `scoring.scorer.CHUNK`.
        seconds: Wall-clock time for each size.
    """
    responder = Responder(bundle, Settings(provider=Provider.CPU, strict=True, threads=1))
    request = _Request(responder)
    source = StudentSource(responder.bundle.contract, complete=True)
    return [request.measure(source.body(rows), rows, seconds) for rows in sizes]


class _Request:
    """A request that can be taken apart: the responder's stages, one by one."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        bundle = responder.bundle
        self._intake = Intake(bundle.contract)
        student: Any = self._intake.student_type
        body = msgspec.defstruct("Body", [("students", list[student])], gc=False)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(body)
        self._scorer = Scorer(bundle, provider=Provider.CPU, strict=True, threads=1)
        self._assessor = Assessor(self._scorer)
        advice = self._assessor.recommender.advice
        self._encoder = TableEncoder(bundle.contract, bundle.policy, advice)
        empty = msgspec.json.encode(ScoreAnswer(responder.info.model, [], []))
        self._before = empty.removesuffix(b'],"errors":[]}')
        facts = bundle.manifest.graphs
        self._graphs = [
            (open_session(path, Provider.CPU, strict=True, threads=1), facts[name])
            for name, path in (("risk", bundle.risk_graph), ("score", bundle.score_graph))
        ]

    def measure(self, body: bytes, rows: int, seconds: float) -> Measured:
        rounds: list[list[float]] = []
        advised, end = self._round(body, rows, []), time.perf_counter() + seconds
        while not rounds or time.perf_counter() < end:
            spent: list[float] = []
            self._round(body, rows, spent)
            rounds.append(spent)
        medians = map(statistics.median, zip(*rounds, strict=True))
        return Measured(rows, advised / rows, Stages(*medians))

    def _round(self, body: bytes, rows: int, spent: list[float]) -> int:
        """Append the µs of each stage to `spent`; return how many students were advised."""

        def timed(stage: Callable[[], Result]) -> Result:
            start = time.thread_time_ns()
            result = stage()
            spent.append((time.thread_time_ns() - start) / 1e3)
            return result

        students = timed(lambda: self._decoder.decode(body)).students
        taken = timed(lambda: self._intake.gather(students))
        values, lengths = taken.values, taken.lengths
        scores = timed(lambda: self._scorer.score(values, lengths))
        table = timed(lambda: self._assessor.tabulate(values, lengths, scores))

        def encode() -> bytes:
            written = self._encoder.encode(table, taken.ids, taken.rows.tolist())
            return written.listed(0, rows, self._before, b'],"errors":[]}')

        encoded = timed(encode)
        if encoded != timed(lambda: self._responder.score(body)).body:
            raise AssertionError("the stages are not those of the service: mend this benchmark")

        def run_graphs() -> None:
            for session, facts in self._graphs:
                session.run([facts.output], {facts.input: values})

        timed(run_graphs)
        return len(set(table.advice.row.tolist()))


def main(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder.", exists=True, file_okay=False)],
    *,
    seconds: Annotated[float, typer.Option(help="For each size of request.", min=0.1)] = 5.0,
) -> None:
    """Print where the time of a request goes."""
    console = Console(width=120)
    console.print(describe_machine())
    table = Table(title="CPU time of a request by stage, µs (medians)", title_justify="left")
    for name in ("students", "advised", *(field.name for field in fields(Stages))):
        table.add_column(name, justify="right")
    table.add_column("whole / graphs", justify="right")
    with console.status("In process …"), pinned(choose_cores().server):
        measured = measure_stages(bundle, seconds=seconds)
    for at in measured:
        figures = [getattr(at.stages, field.name) for field in fields(Stages)]
        table.add_row(
            str(at.rows),
            f"{at.advised:.0%}",
            *(f"{figure:,.0f}" for figure in figures),
            f"{at.stages.whole / at.stages.graphs:.2f}",
        )
    console.print(table)


if __name__ == "__main__":
    try:
        typer.run(main)
    except BellwetherError as error:
        Console().print(f"[red]{escape(str(error))}[/]")
        sys.exit(1)
