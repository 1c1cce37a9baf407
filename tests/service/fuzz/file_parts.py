"""Give hostile files and command lines to the command line and to the reader of bundles.

Each batch runs in a process of its own: a library that ends the process is a finding, not the end
of the run.
"""

import json
import multiprocessing
import random
import shutil
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from tests.service.fuzz.inputs import (
    SECRET_NUMBER,
    SECRET_TEXT,
    Input,
    damaged,
    encoded,
    replace_node,
    table,
)
from tests.service.fuzz.tally import CRASH, HANG, LEAK, Tally

_BATCH = 20
_PATIENCE = 120.0
# Part, outcome and, where it is a finding, its kind and description.
Outcome = tuple[str, str, str | None, str]


def run_files(bundle: Path, tally: Tally, seed: int, number: int, until: float) -> None:
    """Try `number` inputs, by turns table files, bundles and command lines."""
    context = multiprocessing.get_context("spawn")
    for first in range(0, number, _BATCH):
        if time.monotonic() > until:
            return
        last = min(first + _BATCH, number)
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            batch = pool.submit(_batch, bundle, seed, range(first, last))
            try:
                for part, outcome, kind, description in batch.result(_PATIENCE):
                    tally.count(part, outcome)
                    if kind:
                        tally.find(kind, description)
            except BrokenProcessPool:
                tally.find(CRASH, f"files {first} to {last - 1}: the process ended")
            except TimeoutError:
                tally.find(HANG, f"files {first} to {last - 1}")
                for process in multiprocessing.active_children():
                    process.kill()


def _batch(bundle: Path, seed: int, numbers: range) -> list[Outcome]:
    outcomes = []
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            generator = random.Random(f"{seed} files {number}")  # noqa: S311 - repeatable
            part = (_table, _bundle, _command)[number % 3]
            outcomes.append(part(generator, number, bundle, Path(folder) / str(number)))
    return outcomes


def _table(generator: random.Random, number: int, bundle: Path, folder: Path) -> Outcome:
    del bundle
    folder.mkdir()
    form = generator.choice(("csv", "csv", "parquet"))
    made = encoded(generator, table(generator), form)
    suffix = generator.choice((form, form, form, "csv", "csv.gz", "parquet", "xlsx"))
    path = folder / f"table.{suffix}"
    path.write_bytes(made.body)
    options = generator.choice(([], ["--on-error", "reject-rows"]))
    return _invoke("tables", number, ["check", str(path), *options], made)


def _bundle(generator: random.Random, number: int, bundle: Path, folder: Path) -> Outcome:
    from records.errors import BellwetherError  # noqa: PLC0415 - in the child process
    from scoring.bundle.reader import MANIFEST, read_bundle, write_manifest  # noqa: PLC0415, F401

    copy = Path(shutil.copytree(bundle, folder))
    file = generator.choice(sorted(copy.iterdir()))
    way = generator.randrange(4)
    if way == 0:
        file.write_bytes(damaged(generator, file.read_bytes()))
    elif way == 1:
        file.unlink()
    elif way == 2 and file.suffix == ".json":
        content = json.loads(file.read_text(encoding="utf-8"))
        replace_node(generator, content)
        file.write_text(json.dumps(content, ensure_ascii=True), encoding="utf-8")
    else:
        file.write_bytes(generator.randbytes(generator.choice((0, 1, 500))))
    try:
        read_bundle(copy)
    except BellwetherError:
        return "bundles", "refused", None, ""
    except Exception as error:  # noqa: BLE001 - any other is a finding
        return "bundles", type(error).__name__, CRASH, f"bundle {number}, {file.name}: {error!r}"
    return "bundles", "read", None, ""


def _command(generator: random.Random, number: int, bundle: Path, folder: Path) -> Outcome:
    folder.mkdir()
    (folder / "empty.csv").touch()
    (folder / "wrong.toml").write_text("a = [[[" + "[" * generator.choice((0, 5000)), "utf-8")
    words = (
        *("", "-", "--", "\x00", "\u202e", "-1", "1e9", "x" * 5000, str(folder), str(bundle)),
        *(str(folder / "empty.csv"), str(folder / "wrong.toml"), "/dev/null", "simulated"),
        *("--out", "--contract", "--on-error", "--bundle", "--format", "--workers", "--data"),
    )
    command = generator.choice(
        (
            *(["check"], ["contract", "show"], ["policy", "check"], ["bundle", "verify"]),
            *(["bundle", "show"], ["score"], ["request"], ["models"], ["evaluate"], ["reference"]),
        )
    )
    table, model = str(folder / "empty.csv"), str(bundle)
    sensible = {
        "check": [table],
        "score": [table, "--bundle", model, "--out", str(folder / "out.csv"), "--workers", "1"],
        "evaluate": [model, "--data", table],
        "reference": ["--data", table],
        "request": [str(folder)],
    }
    chosen = list(sensible.get(command[0], [])) if generator.random() < 0.7 else []
    for _ in range(generator.randint(0, 2)):
        chosen.insert(generator.randint(0, len(chosen)), generator.choice(words))
    if chosen and generator.random() < 0.3:
        chosen[generator.randrange(len(chosen))] = generator.choice(words)
    return _invoke("commands", number, [*command, *chosen], None)


def _invoke(part: str, number: int, arguments: list[str], made: Input | None) -> Outcome:
    from typer.testing import CliRunner  # noqa: PLC0415 - in the child process

    from cli.main import app  # noqa: PLC0415
    from records.errors import BellwetherError  # noqa: PLC0415

    result = CliRunner().invoke(app, arguments)
    error, shown = result.exception, result.output
    if isinstance(error, BellwetherError | OSError):
        shown += str(error)
    elif error is not None and not isinstance(error, SystemExit):
        return part, type(error).__name__, CRASH, f"{part} {number} {arguments}: {error!r}"
    if made and made.is_whole and (SECRET_TEXT in shown or str(SECRET_NUMBER) in shown):
        return part, "leak", LEAK, f"{part} {number}: {shown[:300]}"
    return part, f"exit {result.exit_code}", None, ""
