"""`python -m benchmarks.bulk BUNDLE`: whole cohorts by format, beside the ceiling.

Every round takes one request of each kind and the risk graph alone over the same students, so that
slow spells of a shared machine fall on all alike. In process it is CPU time on one thread; over
HTTP, wall-clock time of a client that keeps two requests under way. Tier and trajectory are always
there; further parts are listed under "parts".
"""

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.cores import Cores, choose_cores, pinned
from benchmarks.load.closed_loop import drive
from benchmarks.machine import describe_machine
from benchmarks.server import bellwether, running
from benchmarks.students import StudentSource
from records.contract import Contract
from records.errors import BellwetherError
from records.tables.formats import TableFormat
from scoring.bundle.reader import read_bundle
from scoring.runtime.providers import Provider, open_session
from scoring.runtime.scorer import CHUNK
from scoring.students.intake import Intake
from scoring.tables.assessor import Wanted
from service.bulk.pending import BulkRequest
from service.bulk.responder import BulkResponder
from service.responder import Responder
from service.settings import Settings

SIZES = (256, 4096)
UNDER_WAY = 2
ARROW = "application/vnd.apache.arrow.stream"
_CEILING = "risk graph alone"


@dataclass(frozen=True, slots=True)
class Message:
    """One request, ready to be sent or answered in process.

    Attributes:
        name: What it is called in the table.
        path: Route with its query.
        kind: Media type.
        body: Bytes.
        request: How `BulkResponder` reads it; None for `score`.
    """

    name: str
    path: str
    kind: str
    body: bytes
    request: BulkRequest | None


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast one kind of request is answered.

    Attributes:
        name: Kind of request.
        students: Students in a request.
        seconds: Median seconds of a request, CPU time in process.
        ceiling: The share that the risk graph alone takes of it; NaN over HTTP.
    """

    name: str
    students: int
    seconds: float
    ceiling: float

    @property
    def rate(self) -> float:
        """Students a second."""
        return self.students / self.seconds


def messages(contract: Contract, students: int, wanted: Wanted) -> list[Message]:
    """Draw students with complete histories, and write them as `messages_of`."""
    return messages_of(contract, StudentSource(contract, complete=True).students(students), wanted)


def messages_of(
    contract: Contract, drawn: Sequence[dict[str, Any]], wanted: Wanted
) -> list[Message]:
    """Write the same students as row JSON, columnar JSON and Arrow."""
    options = {"recommendations": wanted.recommendations, "forecast": wanted.forecast}
    query = "&".join(f"{name}={json.dumps(value)}" for name, value in options.items())
    bulk = f"/score/bulk?{query}"
    rows = json.dumps({"students": drawn, **options}, separators=(",", ":")).encode()
    cells = [{"id": one["id"], **period} for one in drawn for period in one["periods"]]
    features = {name: [cell[name] for cell in cells] for name in contract.feature_names}
    columns: dict[str, Any] = {
        "id": [one["id"] for one in drawn],
        "lengths": [len(one["periods"]) for one in drawn],
        "features": features,
    }
    table = pa.table({name: [cell[name] for cell in cells] for name in ("id", "period")} | features)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    packed, arrow = json.dumps(columns, separators=(",", ":")).encode(), TableFormat.ARROW
    return [
        Message("row JSON", "/score", "application/json", rows, None),
        Message("columnar JSON", bulk, "application/json", packed, BulkRequest(None, None, wanted)),
        Message(
            *("Arrow", bulk, ARROW, sink.getvalue().to_pybytes()),
            BulkRequest(arrow, arrow, wanted, whole=True),
        ),
    ]


def in_process(bundle: Path, students: int, wanted: Wanted, *, seconds: float) -> list[Speed]:
    """Time every kind of request and the risk graph alone on one thread, round by round."""
    settings = Settings(provider=Provider.CPU, strict=True, threads=1, max_students=students)
    responder = Responder(bundle, settings)
    contract, facts = responder.bundle.contract, responder.bundle.manifest.graphs["risk"]
    session = open_session(responder.bundle.risk_graph, Provider.CPU, strict=True, threads=1)
    drawn = StudentSource(contract, complete=True).students(students)
    values = Intake(contract).read(drawn).values

    def graph() -> None:
        for start in range(0, students, CHUNK):
            session.run([facts.output], {facts.input: values[start : start + CHUNK]})

    work: dict[str, Callable[[], object]] = {
        one.name: partial(_answer, responder, one) for one in messages(contract, students, wanted)
    }
    taken = _rounds({_CEILING: graph, **work}, seconds)
    return [Speed(name, students, spent, taken[_CEILING] / spent) for name, spent in taken.items()]


def over_http(
    port: int, sent: Sequence[Message], students: int, *, seconds: float, core: int | None
) -> list[Speed]:
    """Time every kind of request over HTTP, a few under way at once.

    Args:
        port: Of a server on the loopback address.
        sent: The requests.
        students: Students in each.
        seconds: Time for each kind, a second at least.
        core: Core of the client.

    Raises:
        BellwetherError: A request was not answered with 200.
    """
    found = []
    for one in sent:
        seen = drive(
            port,
            one.path,
            [one.body],
            media_type=one.kind,
            in_parallel=UNDER_WAY,
            seconds=seconds,
            core=core,
        )
        if seen.other or not seen.goodput:
            raise BellwetherError(f"{one.name}: the server did not answer every request with 200.")
        found.append(Speed(one.name, students, 1.0 / seen.goodput, float("nan")))
    return found


def _answer(responder: Responder, one: Message) -> object:
    if one.request is None:
        return responder.score(one.body)
    return b"".join(
        BulkResponder.from_responder(responder).answer(pa.BufferReader(one.body), one.request)
    )


def _rounds(work: dict[str, Callable[[], object]], seconds: float) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in work}
    for run in work.values():
        run()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or not all(taken.values()):
        for name, run in work.items():
            started = time.process_time()
            run()
            taken[name].append(time.process_time() - started)
    return {name: statistics.median(times) for name, times in taken.items()}


def measure_bulk(
    bundle: Path, port: int, cores: Cores, *, seconds: float, sizes: Sequence[int] = SIZES
) -> Table:
    """Measure whole cohorts in process and over HTTP.

    Args:
        bundle: The bundle's folder.
        port: Of a server that serves it, on `cores.server`.
        cores: Where to measure in process, and where the client runs.
        seconds: Time for each figure.
        sizes: Students in a request.
    """
    table = Table(
        *("students", "parts", "request", "where", "µs a student", "students/s", "of ceiling"),
        title="Whole cohorts",
        title_justify="left",
    )
    for size in sizes:
        for parts, wanted in PARTS.items():
            with pinned(cores.server):
                speeds = in_process(bundle, size, wanted, seconds=seconds)
            _add(table, speeds, parts, "in process")
    contract = read_bundle(bundle).contract
    for size in sizes:
        for parts, wanted in PARTS.items():
            sent = messages(contract, size, wanted)
            speeds = over_http(port, sent, size, seconds=seconds, core=cores.client)
            _add(table, speeds, parts, "HTTP")
    return table


def main(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder.", exists=True, file_okay=False)],
    *,
    seconds: Annotated[float, typer.Option(help="Time for each figure.", min=0.1)] = 3.0,
    out: Annotated[Path, typer.Option(help="Folder for the server's log.")] = Path("out/bench"),
) -> None:
    """Measure whole cohorts in process and over HTTP: one worker on one core."""
    console, cores = Console(width=120), choose_cores()
    out.mkdir(parents=True, exist_ok=True)
    console.print(describe_machine())
    with running(bellwether(bundle), log=out / "bulk-server.log", core=cores.server) as server:
        console.print(measure_bulk(bundle, server.port, cores, seconds=seconds))


PARTS = {
    "risk and tier": Wanted(recommendations=False, forecast=False),
    "and recommendations": Wanted(forecast=False),
    "everything": Wanted(),
}


def _add(table: Table, speeds: Sequence[Speed], parts: str, where: str) -> None:
    for one in speeds:
        share = "" if np.isnan(one.ceiling) else f"{one.ceiling:.0%}"
        micros = f"{one.seconds / one.students * 1e6:.1f}"
        table.add_row(
            f"{one.students:,}", parts, one.name, where, micros, f"{one.rate:,.0f}", share
        )
    table.add_section()


if __name__ == "__main__":
    try:
        typer.run(main)
    except BellwetherError as error:
        sys.exit(f"Error: {error}")
