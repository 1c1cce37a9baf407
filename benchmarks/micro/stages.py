"""`python -m benchmarks.micro.stages BUNDLE`: where the time of a request goes, stage by stage.

Every round takes the requests of one pass apart, then answers them whole, then runs the two graphs
alone: so each figure is taken with the caches as the others leave them, and slow spells of a
shared machine fall on all of them alike.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from benchmarks.command import print_table, run_command
from benchmarks.cores import choose_cores, pinned
from benchmarks.students import StudentSource
from scoring.assessment.assessor import Assessor
from scoring.runtime.providers import Provider, open_session
from scoring.runtime.scorer import CHUNK, Scorer
from scoring.students.intake import Intake, LazyStudent, StudentArrays, StudentBatch
from service.http.schemas import ScoreAnswer
from service.responder import Responder
from service.rows.encoder import TableEncoder
from service.settings import Settings

# Requests answered in one pass, and students in each: 32 of one student are what a loaded service
# answers together.
SIZES = ((1, 1), (32, 1), (1, 30), (1, CHUNK))
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Stages:
    """CPU time of one pass, µs, medians over the rounds; one thread.

    Attributes:
        decode: JSON to typed students.
        intake: Typed students to arrays.
        compute: `Scorer.score`: arrays to risks and scores, both graphs within.
        policy: `Assessor.tabulate`: tiers, trajectories, rules and recommendations.
        encode: Assessments to JSON.
        whole: `Responder.read` and `answer`: all of the above in one.
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
    """The stages at one size of pass.

    Attributes:
        requests: Requests answered together.
        rows: Students in each.
        advised: Share of them that were given recommendations.
        stages: Where the time went.
    """

    requests: int
    rows: int
    advised: float
    stages: Stages


def measure_stages(
    bundle: Path, *, sizes: Sequence[tuple[int, int]] = SIZES, seconds: float = 2.0
) -> list[Measured]:
    """Time requests with complete histories in this process, on one thread of the CPU.

    Args:
        bundle: Bundle folder.
        sizes: Requests answered in one pass and students in each, together at most
            `scoring.runtime.scorer.CHUNK`.
        seconds: Wall-clock time for each size.
    """
    responder = Responder(bundle, Settings(provider=Provider.CPU, strict=True, threads=1))
    passing = _Pass(responder)
    source = StudentSource(responder.bundle.contract, complete=True)
    return [
        passing.measure(source.bodies(rows, requests), rows, seconds) for requests, rows in sizes
    ]


class _Pass:
    """A pass that can be taken apart: the responder's stages, one by one."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        bundle = responder.bundle
        self._intake = Intake(bundle.contract)
        student: Any = self._intake.student_type
        body = msgspec.defstruct("Body", [("students", list[student])], gc=False)
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(body)
        self._scorer = Scorer(bundle, provider=Provider.CPU, strict=True, threads=1)
        self._assessor = Assessor(self._scorer)
        advice = self._assessor.recommender.templates
        self._encoder = TableEncoder(bundle.contract, bundle.policy, advice)
        empty = msgspec.json.encode(ScoreAnswer(responder.info.model, [], []))
        self._before = empty.removesuffix(b'],"errors":[]}')
        facts = bundle.manifest.graphs
        self._graphs = [
            (open_session(path, Provider.CPU, strict=True, threads=1), facts[name])
            for name, path in (("risk", bundle.risk_graph), ("score", bundle.score_graph))
        ]

    def measure(self, bodies: Sequence[bytes], rows: int, seconds: float) -> Measured:
        rounds: list[list[float]] = []
        advised, end = self._round(bodies, rows, []), time.perf_counter() + seconds
        while not rounds or time.perf_counter() < end:
            spent: list[float] = []
            self._round(bodies, rows, spent)
            rounds.append(spent)
        medians = map(statistics.median, zip(*rounds, strict=True))
        return Measured(len(bodies), rows, advised / (len(bodies) * rows), Stages(*medians))

    def _round(self, bodies: Sequence[bytes], rows: int, spent: list[float]) -> int:
        """Append the µs of each stage to `spent`; return how many students were advised."""

        def timed(stage: Callable[[], Result]) -> Result:
            start = time.thread_time_ns()
            result = stage()
            spent.append((time.thread_time_ns() - start) / 1e3)
            return result

        decoded = timed(lambda: [self._decoder.decode(body).students for body in bodies])

        def take_in() -> tuple[list[StudentBatch | LazyStudent], StudentArrays]:
            taken = [self._intake.parse(students) for students in decoded]
            return taken, self._intake.to_arrays(taken)

        taken, (values, lengths) = timed(take_in)
        scores = timed(lambda: self._scorer.score(values, lengths))
        table = timed(lambda: self._assessor.tabulate(values, lengths, scores))

        def encode() -> list[bytes]:
            ids = [name for one in taken for name in one.ids]
            places = [row for one in taken for row in one.rows.tolist()]
            encoded = self._encoder.encode(table, ids, places)
            return [
                encoded.listed(start, start + rows, self._before, b'],"errors":[]}')
                for start in range(0, len(ids), rows)
            ]

        written = timed(encode)

        def answer() -> list[bytes]:
            return self._responder.answer([self._responder.read(body) for body in bodies]).bodies

        if written != timed(answer):
            raise AssertionError("the stages are not those of the service: mend this benchmark")

        def run_graphs() -> None:
            for session, facts in self._graphs:
                session.run([facts.output], {facts.input: values})

        timed(run_graphs)
        return len(set(table.advice.row.tolist()))


def main(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder.", exists=True, file_okay=False)],
    *,
    seconds: Annotated[float, typer.Option(help="For each size of pass.", min=0.1)] = 5.0,
) -> None:
    """Print where the time of a request goes."""
    names = [field.name for field in fields(Stages)]

    def rows() -> list[list[str]]:
        with pinned(choose_cores().server):
            measured = measure_stages(bundle, seconds=seconds)
        return [
            [
                *(str(at.requests), str(at.rows), f"{at.advised:.0%}"),
                *(f"{getattr(at.stages, name):,.0f}" for name in names),
                f"{at.stages.whole / at.stages.graphs:.2f}",
            ]
            for at in measured
        ]

    columns = ("requests", "students", "advised", *names, "whole / graphs")
    print_table("CPU time of a pass by stage, µs (medians)", columns, rows)


if __name__ == "__main__":
    run_command(main)
