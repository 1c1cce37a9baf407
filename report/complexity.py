"""Measure what paper B states in O(n): time and memory against students and periods.

    python -m report.complexity [--students 500 1000 2000] [--models ridge boosting lstm …]
    bellwether report RUN --complexity

Each cell runs in a process of its own, so that its peak memory is its own. A small fit goes before
the one that is measured, so that loading libraries counts neither as time nor as memory. Time is
CPU time of all threads: what else the machine does hardly shows. Networks run a fixed number of
epochs, so that early stopping does not decide the time, and what one epoch takes with the building
of the graph is subtracted: it is the same for any number of students.
"""

import argparse
import csv
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from records.cohort import Cohort
from records.errors import BellwetherError
from records.load import load_cohort
from report.tables import Table

_MODELS = ("ridge", "linear_regression", "svr", "dnn", "boosting", "lstm", "attention-lstm")
_STUDENTS, _PERIODS = (1000, 4000, 16000), (2, 4, 6)
_EPOCHS = 3
# Seconds below which the clock tells nothing.
_SHORTEST = 1e-3
_WARM, _FORECASTS = 100, 3
_STAGE = "Measuring time and memory"
_AGAIN = "remove it, or measure again with `bellwether report RUN --complexity`."
_HEADER = (
    *("model", "students", "periods", "fit (CPU s)", "forecast (CPU µs a record)"),
    *("memory (MB)", "k in time ~ students^k"),
)


class ComplexityError(BellwetherError):
    """A file of measurements cannot be read."""


@dataclass(frozen=True)
class Measured:
    """One fit.

    Attributes:
        model: Name in the registry, of the score.
        students: Simulated records.
        periods: Periods that each record holds.
        fit_seconds: CPU time of the fit, all threads together; of a Keras network that of a fixed
            number of epochs, without building its graph.
        microseconds: CPU time to forecast one record.
        megabytes: Peak memory above what stood before the fit.
    """

    model: str
    students: int
    periods: int
    fit_seconds: float
    microseconds: float
    megabytes: float


def measure(model: str, students: int, periods: int) -> Measured:
    """Fit one model in a process of its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (model, students, periods))


def _measure(name: str, students: int, periods: int) -> Measured:
    from training.data.prepare import Prepared, prepare  # noqa: PLC0415
    from training.model import Fitted  # noqa: PLC0415 - in the process that measures
    from training.registry import fit_preset, model  # noqa: PLC0415
    from training.settings import settings_for  # noqa: PLC0415

    prepared, warm = (
        prepare(cohort, settings_for(cohort))
        for count in (students, _WARM)
        for cohort in [_shortened(load_cohort("semesters", students=count), periods)]
    )
    row = model("score", name)

    def fit(known: Prepared, epochs: int = 1 + _EPOCHS) -> Fitted | None:
        if row.preset is None:
            return row.fit(known, 0, lambda *_: None)
        schedule = row.preset.schedule.model_copy(update={"epochs": epochs, "patience": None})
        preset = row.preset.model_copy(update={"schedule": schedule})
        return fit_preset(known, "score", preset, 0, lambda *_: None)

    if row.preset is not None:
        import training.fitting.fit_networks  # noqa: F401, PLC0415 - not what is measured
    fit(warm)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    if row.preset is not None:
        fit(prepared, epochs=1)
    built = time.process_time()
    fitted = fit(prepared)
    # Of a network: building and all epochs, less building and one.
    seconds = max(time.process_time() - built - (built - started), _SHORTEST)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if fitted is None:
        raise ValueError(f"'{name}' has no ground in these records")
    fitted.predict(prepared.parts.test)  # the first call compiles
    begun = time.process_time()
    for _ in range(_FORECASTS):
        fitted.predict(prepared.parts.test)
    each = (time.process_time() - begun) / _FORECASTS / len(prepared.parts.test)
    return Measured(name, students, periods, seconds, 1e6 * each, (after - before) / 1024)


def _shortened(cohort: Cohort, periods: int) -> Cohort:
    """Return the first periods of every record, their targets kept."""
    kept = np.arange(cohort.values.shape[1]) < periods
    return replace(
        cohort,
        values=np.where(kept[:, None], cohort.values, np.float32(np.nan)),
        lengths=np.minimum(cohort.lengths, np.int32(periods)),
        eligible=cohort.eligible & kept,
    )


def growth(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Return the exponent k of seconds ~ size ** k, by least squares on logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def table(measured: Sequence[Measured]) -> Table:
    """Lay the measurements out, with the exponent by students for each model."""
    rows: list[tuple[str | float | int | None, ...]] = []
    for one in measured:
        same = [m for m in measured if m.model == one.model and m.periods == one.periods]
        exponent = None
        if len(same) > 1:
            exponent = growth([m.students for m in same], [m.fit_seconds for m in same])
        numbers = (one.students, one.periods, one.fit_seconds, one.microseconds, one.megabytes)
        rows.append((one.model, *numbers, exponent))
    note = (
        f"CPU time of all threads; Keras networks: {_EPOCHS} epochs, without building the graph. "
        "The SVR learns from 5,000 steps at most and the DNN from 30,000, so that their growth ends "
        "there. "
        "Paper B states O(n) for linear regression, O(n³) for SVM and O(n²) for networks."
    )
    return Table("complexity", "Time and memory, measured", _HEADER, tuple(rows), note)


def read_measured(path: Path) -> list[Measured]:
    """Read what `table` wrote as CSV.

    Raises:
        ComplexityError: The file holds something else.
    """
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file)) or [[]]
    if tuple(header) != _HEADER:
        raise ComplexityError(f"{path} has other columns; {_AGAIN}")
    try:
        return [Measured(row[0], int(row[1]), int(row[2]), *map(float, row[3:6])) for row in rows]
    except (ValueError, IndexError, TypeError):
        raise ComplexityError(f"{path} has rows that are no measurements; {_AGAIN}") from None


def measure_all(
    models: Iterable[str] = _MODELS,
    students: Sequence[int] = _STUDENTS,
    periods: Sequence[int] = _PERIODS,
    *,
    progress: Callable[[str, int, int], None] = lambda *_: None,
) -> list[Measured]:
    """Measure one axis at a time: students at the most periods, periods at the most students."""
    sizes = dict.fromkeys(
        [(count, max(periods)) for count in students] + [(max(students), at) for at in periods]
    )
    cells = [(name, *size) for name in models for size in sizes]
    found = []
    for done, cell in enumerate(cells):
        progress(_STAGE, done, len(cells))
        found.append(measure(*cell))
    progress(_STAGE, len(cells), len(cells))
    return found


def main() -> None:
    """Print the table, and write it as CSV where asked."""
    parser = argparse.ArgumentParser(description="Measure time and memory of the score models.")
    parser.add_argument("--students", type=int, nargs="+", default=_STUDENTS)
    parser.add_argument("--periods", type=int, nargs="+", default=_PERIODS)
    parser.add_argument("--models", nargs="+", default=_MODELS)
    parser.add_argument("--out", type=Path, help="CSV file to write")
    asked = parser.parse_args()
    found = table(measure_all(asked.models, asked.students, asked.periods))
    print(found.markdown())  # noqa: T201 - a command
    if asked.out:
        asked.out.write_text(found.csv(), encoding="utf-8")


if __name__ == "__main__":
    main()
