"""Give hostile inputs to the service and the command line, and say what came of it.

    python -m tests.service.fuzz BUNDLE [--seed N] [--seconds 300] [--bodies N] [--heads N] [--files N]

Every input follows from the seed, which is printed. Exits with 1 where there are findings.
"""

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path

from tests.service.fuzz.file_parts import run_files
from tests.service.fuzz.inputs import SECRET_NUMBER, SECRET_TEXT
from tests.service.fuzz.service_parts import Load
from tests.service.fuzz.tally import LEAK, MEMORY, Tally
from tests.service.links import port, workers
from tests.service.running import Running, environment, serving

# After the load a worker may hold so much more than after its first requests.
_GROWTH = 1.10


def main() -> int:
    """Run every part, each within its share of the time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--bodies", type=int, default=100_000)
    parser.add_argument("--heads", type=int, default=15_000)
    parser.add_argument("--files", type=int, default=1_500)
    asked = parser.parse_args()
    sys.stdout.write(f"seed {asked.seed}\n")
    tally = Tally()
    with tempfile.TemporaryDirectory() as home:
        variables = environment(Path(home), bundle=asked.bundle.resolve(), threads="1")
        with serving(Path(home), variables) as running:
            load = Load("127.0.0.1", port(running), tally, asked.seed)
            load.bodies(500)  # what every buffer and cache grows to
            before = _memory(running)
            load.until = time.monotonic() + asked.seconds * 0.5
            load.bodies(asked.bodies)
            load.until = time.monotonic() + asked.seconds * 0.25
            load.heads(asked.heads)
            time.sleep(1)
            after = _memory(running)
            _check_log(running, tally)
    if after > before * _GROWTH:
        tally.find(MEMORY, f"workers held {before:.0f} MiB before and {after:.0f} MiB after")
    run_files(asked.bundle, tally, asked.seed, asked.files, time.monotonic() + asked.seconds * 0.25)
    sys.stdout.write(tally.table())
    sys.stdout.write(f"workers held {before:.0f} MiB before and {after:.0f} MiB after\n")
    return int(bool(tally.findings))


def _memory(running: Running) -> float:
    """Return the MiB that the workers hold and share with no other process."""
    held: int = sum(process.memory_full_info().uss for process in workers(running))
    return held / 2**20


def _check_log(running: Running, tally: Tally) -> None:
    log = running.said()
    for secret in (SECRET_TEXT, str(SECRET_NUMBER)):
        if secret in log:
            at = log.index(secret)
            tally.find(LEAK, f"the service's log: {log[max(0, at - 200) : at + 50]!r}")
    if (at := log.find("Traceback")) >= 0:
        tally.find("traceback", log[at : at + 1500])


if __name__ == "__main__":
    sys.exit(main())
