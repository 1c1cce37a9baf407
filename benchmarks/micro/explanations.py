"""`python -m benchmarks.micro.explanations BUNDLE`: what reasons and what-if of one student cost.

Views are timed in turn for each student, on one thread of the CPU, at the contract's last period
and at half of it; beside them stands the assessment alone.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.command import print_table, run_command
from benchmarks.students import StudentSource
from explain.bundles import explainer_of, simulator_of
from explain.reasons.explainer import Explainer
from explain.what_if.simulator import Simulator, WhatIfRequest
from records.arrays import Doubles, Floats
from scoring.assessment.assessor import Assessor
from scoring.bundle.reader import read_bundle
from scoring.rounding import round_risk
from scoring.runtime.providers import Provider
from scoring.runtime.scorer import Scorer
from scoring.students.intake import Intake

STUDENTS = 40


@dataclass(frozen=True, slots=True)
class View:
    """What one view of one student takes.

    Attributes:
        name: Which view.
        periods: Observed periods.
        median: Milliseconds.
        slowest: Milliseconds, the slowest of all students.
        steps: The most steps between which a server answers others.
    """

    name: str
    periods: int
    median: float
    slowest: float
    steps: int


def measure_explanations(bundle: Path, *, students: int = STUDENTS) -> list[View]:
    """Time reasons and what-if for students with complete histories.

    Args:
        bundle: Folder of a bundle.
        students: How many to time.
    """
    scorer = Scorer(read_bundle(bundle), provider=Provider.CPU, threads=1)
    scorer.warm_up()
    contract = scorer.bundle.contract
    source = StudentSource(contract, complete=True)
    batch = Intake(contract).read(source.students(students))
    whole = contract.periods.maximum
    found = []
    for periods in (whole // 2, whole - 1):
        values = batch.values[:, :periods]
        lengths = np.full(len(values), periods, np.int32)
        risk = round_risk(scorer.score(values, lengths, forecast=False).risk)
        found += list(_views(scorer, values, risk))
    return found


def _views(scorer: Scorer, values: Floats, risk: Doubles) -> Iterator[View]:
    explainer, simulator, assessor = explainer_of(scorer), simulator_of(scorer), Assessor(scorer)
    lengths = np.full(1, values.shape[1], np.int32)
    timed: dict[str, Callable[[int], int]] = {
        "assessment": lambda row: len(assessor.assess(values[row : row + 1], lengths)),
        "reasons, level": lambda row: _explained(explainer, values[row], risk[row]),
        "reasons, change": lambda row: _changed(explainer, values[row], risk[row]),
        "what-if": lambda row: _simulated(simulator, values[row], risk[row]),
    }
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    steps = dict.fromkeys(timed, 0)
    for row in range(len(values)):
        for name, view in timed.items():
            began = time.perf_counter()
            taken = view(row)
            seconds[name].append((time.perf_counter() - began) * 1e3)
            steps[name] = max(steps[name], taken)
    for name, spent in seconds.items():
        yield View(name, values.shape[1], statistics.median(spent), max(spent), steps[name])


def _explained(explainer: Explainer, history: Floats, trajectory: Doubles) -> int:
    return sum(1 for _ in explainer.explain_one_in_steps(history, trajectory))


def _changed(explainer: Explainer, history: Floats, trajectory: Doubles) -> int:
    return sum(1 for _ in explainer.explain_one_in_steps(history, trajectory, "change"))


def _simulated(simulator: Simulator, history: Floats, trajectory: Doubles) -> int:
    request = WhatIfRequest(history, float(trajectory[-1]))
    return sum(1 for _ in simulator.simulate_in_steps(request))


def _rows(views: Sequence[View]) -> Iterator[Sequence[str]]:
    for view in views:
        yield (
            view.name,
            str(view.periods),
            f"{view.median:.2f}",
            f"{view.slowest:.2f}",
            str(view.steps),
        )


def main(
    bundle: Annotated[Path, typer.Argument(help="Bundle folder.")],
    students: Annotated[int, typer.Option(min=1, help="Students to time.")] = STUDENTS,
) -> None:
    """Print what reasons and what-if of one student cost."""
    print_table(
        "Milliseconds for one student, one thread",
        ("view", "periods", "median", "slowest", "steps"),
        lambda: _rows(measure_explanations(bundle, students=students)),
    )


if __name__ == "__main__":
    run_command(main)
