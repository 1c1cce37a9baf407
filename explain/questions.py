"""Questions to the model, apart from how it is asked.

A question yields histories of one length and receives the risk after every period of each. The
caller decides how many rows the model gets at a time, and whether other work runs in between.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from itertools import islice
from typing import Final, TypeVar

import numpy as np

from records.arrays import Floats, Ints
from scoring.steps import Steps

T = TypeVar("T")
# (rows, periods, features) and (rows,) lengths -> (rows, periods) risk after every period.
Predict = Callable[[Floats, Ints], Floats]
# Yields (rows, periods, features), receives (rows, periods).
Question = Generator[Floats, Floats, T]
# Rows times periods of an execution: as many as ONNX Runtime works on at a time (`scoring.runtime.runners`), one to
# four milliseconds on one core. `python -m benchmarks.micro.explanations` prints what a view costs.
STEP_CELLS: Final = 1280
# Questions that are asked side by side.
_TOGETHER: Final = 64


def answer_in_steps(predict: Predict, question: Question[T]) -> Steps[T]:
    """Answer one question, an execution in each step."""
    (found,) = yield from _side_by_side(predict, [question], STEP_CELLS)
    return found


def answer_all_in_steps(
    predict: Predict, questions: Iterable[Question[T]], *, cells: int = STEP_CELLS
) -> Steps[list[T]]:
    """Answer many questions, histories of equal length together.

    Args:
        predict: The model.
        questions: Asked side by side, some dozens at a time.
        cells: Rows times periods of an execution.
    """
    found: list[T] = []
    waiting = iter(questions)
    while block := list(islice(waiting, _TOGETHER)):
        found += yield from _side_by_side(predict, block, cells)
    return found


def _side_by_side(predict: Predict, questions: Sequence[Question[T]], cells: int) -> Steps[list[T]]:
    found: dict[int, T] = {}
    asked: dict[int, Floats] = {}
    replies: dict[int, Floats | None] = dict.fromkeys(range(len(questions)))
    while replies:
        for at, reply in replies.items():
            try:
                asked[at] = next(questions[at]) if reply is None else questions[at].send(reply)
            except StopIteration as end:
                found[at] = end.value
        replies = yield from _asked(predict, asked, cells)
        asked = {}
    return [found[at] for at in range(len(questions))]


def _asked(
    predict: Predict, asked: dict[int, Floats], cells: int
) -> Steps[dict[int, Floats | None]]:
    """Ask about all histories, those of one length together."""
    by_length: dict[int, list[int]] = {}
    for at, rows in asked.items():
        by_length.setdefault(rows.shape[1], []).append(at)
    replies: dict[int, Floats | None] = {}
    for length, places in by_length.items():
        rows = np.concatenate([asked[at] for at in places])
        step = max(1, cells // length)
        parts = []
        for start in range(0, len(rows), step):
            part = rows[start : start + step]
            parts.append(predict(part, np.full(len(part), length, np.int32)))
            yield
        ends = np.cumsum([len(asked[at]) for at in places])[:-1]
        replies |= zip(places, np.split(np.concatenate(parts), ends), strict=True)
    return replies
