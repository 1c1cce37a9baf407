"""`python -m benchmarks.tokens BUNDLE`: what it costs to check a bearer token with every request.

Two servers run beside each other, one with tokens and one without, and are asked in turn, by requests that carry a
token to both. Beside the rate stands the processor time that the server took a request, which other work on the
machine changes less.
"""

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.command import run_command
from benchmarks.load.closed_loop import client_name, drive
from benchmarks.load.sweep import PATH
from benchmarks.machine import describe_machine
from benchmarks.server import RunningServer, bellwether, running
from benchmarks.students import StudentSource
from scoring.bundle.reader import read_bundle
from service.auth import Authorizer, Scope, make_token, parse_tokens

# A service with a few callers; how many there are does not matter to a look-up.
CALLERS = 10
_VARIANTS = 16
_IN_PARALLEL = 32


@dataclass(frozen=True, slots=True)
class Round:
    """What a server did in one round.

    Attributes:
        rate: Requests answered, per second.
        cpu: Processor time of the server a request, µs.
    """

    rate: float
    cpu: float


def measure(bundle: Path, *, rounds: int, seconds: float, out: Path) -> list[tuple[Round, Round]]:
    """Ask both servers in turn.

    Returns:
        For each round: without tokens, with tokens.
    """
    made = [make_token(f"caller{number}", Scope, None) for number in range(CALLERS)]
    bearer = f"Bearer {made[-1][0]}"
    tokens = {"BELLWETHER_TOKENS": ";".join(line for _, line in made)}
    bodies = StudentSource(read_bundle(bundle).contract).bodies(1, _VARIANTS)
    opened = bellwether(bundle)
    guarded = replace(opened, environment={**opened.environment, **tokens})
    seen = []
    with ExitStack() as stack:
        servers = [
            stack.enter_context(running(launch, log=out / f"{name}.log"))
            for name, launch in (("open", opened), ("tokens", guarded))
        ]
        for server in servers:
            _ask(server, bodies, bearer, 1.0)
        for number in range(rounds):
            # Each is the first as often as the other.
            order = servers if number % 2 == 0 else servers[::-1]
            found = {server.port: _ask(server, bodies, bearer, seconds) for server in order}
            without, with_tokens = (found[server.port] for server in servers)
            seen.append((without, with_tokens))
    return seen


def _ask(server: RunningServer, bodies: Sequence[bytes], bearer: str, seconds: float) -> Round:
    before = server.cpu_seconds()
    closed = drive(
        server.port,
        PATH,
        bodies,
        in_parallel=_IN_PARALLEL,
        seconds=seconds,
        core=None,
        authorization=bearer,
    )
    used = server.cpu_seconds() - before
    return Round(closed.goodput, 1e6 * used / max(1.0, closed.goodput * seconds))


def time_check() -> float:
    """Time one check by itself, in µs: the median of 200 blocks of 100."""
    secret, line = make_token("caller", Scope, None)
    authorizer = Authorizer(parse_tokens(line, "tokens"))
    bearer = f"Bearer {secret}".encode()
    headers = [
        (b"host", b"127.0.0.1"),
        (b"content-type", b"application/json"),
        (b"authorization", bearer),
        (b"content-length", b"500"),
    ]
    times = []
    for _ in range(200):
        start = time.thread_time_ns()
        for _ in range(100):
            authorizer.authorize(headers, Scope.SCORE)
        times.append((time.thread_time_ns() - start) / 1e5)
    return statistics.median(times)


def main(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder.", exists=True, file_okay=False)],
    *,
    rounds: Annotated[int, typer.Option(help="Interleaved.", min=1)] = 10,
    seconds: Annotated[float, typer.Option(help="Length of each round and server.", min=1)] = 3.0,
    out: Annotated[Path, typer.Option(help="Folder for the servers' logs.")] = Path("out/tokens"),
) -> None:
    """Compare a server that checks tokens with one that does not, by requests of one student."""
    console = Console(width=120)
    console.print(describe_machine())
    console.print(f"Unpinned; {_IN_PARALLEL} requests at once by {client_name()}.")
    with console.status("Serving …"):
        seen = measure(bundle, rounds=rounds, seconds=seconds, out=out)
    table = Table(title=f"Bearer tokens, medians of {rounds} rounds", title_justify="left")
    for name in ("", "without", "with", "ratio"):
        table.add_column(name, justify="right")
    for name, attribute in (("requests/s", "rate"), ("server CPU a request, µs", "cpu")):
        pairs = [(getattr(one, attribute), getattr(two, attribute)) for one, two in seen]
        medians = [statistics.median(column) for column in zip(*pairs, strict=True)]
        ratio = statistics.median(two / one for one, two in pairs)
        table.add_row(name, *(f"{each:,.1f}" for each in medians), f"{ratio:.3f}")
    console.print(table)
    console.print(f"A check by itself takes {time_check():.2f} µs.")


if __name__ == "__main__":
    run_command(main)
