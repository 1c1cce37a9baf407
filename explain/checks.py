"""Check on held-out records whether reasons and what-if of a model can be shown to people.

* Deletion: groups are made as in the comparison one after the other, in the order of their effects.
  The estimate has to fall faster than in random orders.
* Levers: an improvement of an actionable feature should not raise the estimate. Where it does for
  more than 5% of the records, what-if does not offer the feature.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import numpy as np

from explain.questions import STEP_CELLS, Predict, Question, answer_all_in_steps
from explain.reasons.explainer import Explainer
from explain.reasons.split import logits_of, split
from explain.what_if.futures import Futures, Outlook
from explain.what_if.levers import Lever, moves_of
from explain.what_if.simulator import Hidden
from records.arrays import Doubles, Floats, Positions
from records.cohort import Cohort
from records.contract import Kind
from scoring.bundle.manifest import ExplanationChecks, LeverCheck
from scoring.steps import finish

# Enough for shares of a few percent; an OULAD bundle is checked in seconds.
RECORDS: Final = 200
EXPLAINED: Final = 60
# What-if hides what raises the estimate for more than this share of at least so many records.
LIMIT: Final = 0.05
FEWEST: Final = 20
# A rise that is too small to see is none.
_RISE: Final = 1e-3
_ORDERS: Final = 8
_SEED: Final = 7


def check_explanations(
    predict: Predict,
    explainer: Explainer,
    futures: Futures,
    heldout: Cohort,
    *,
    cells: int = STEP_CELLS,
) -> ExplanationChecks:
    """Check reasons and what-if of a model on held-out records.

    Args:
        predict: The model that both ask.
        explainer: Gives reasons.
        futures: Makes futures.
        heldout: Records that no model was fitted on, relative features filled in.
        cells: Rows times periods of an execution.
    """
    random = np.random.default_rng(_SEED)
    histories = _histories(heldout, random)
    curves = finish(
        answer_all_in_steps(
            predict,
            (_deletion(explainer, history, random) for history in histories[:EXPLAINED]),
            cells=cells,
        )
    )
    above = [curve for curve in curves if curve is not None]
    improved = finish(
        answer_all_in_steps(
            predict, (_improvements(futures, history) for history in histories), cells=cells
        )
    )
    groups = [group.label for group in explainer.groups]
    ordered, others, shares = (
        np.mean(part, axis=0).round(4).tolist() if part else []
        for part in ([curve[at] for curve in above] for at in range(3))
    )
    return ExplanationChecks(
        explained=len(above),
        ordered=tuple(ordered),
        random=tuple(others),
        shares=dict(zip(groups, shares, strict=True)) if above else {},
        levers=tuple(_judged(improved)),
    )


def hidden_by(checks: ExplanationChecks | None) -> Hidden:
    """Return what what-if does not offer; nothing where a bundle was never checked."""
    levers = [lever for lever in (checks.levers if checks else ()) if lever.hidden]
    return Hidden(
        features=tuple(lever.name for lever in levers if not lever.is_group),
        groups=tuple(lever.name for lever in levers if lever.is_group),
    )


def _histories(heldout: Cohort, random: np.random.Generator) -> list[Floats]:
    """Return histories of held-out records up to different periods, one still to come."""
    rows = random.permutation(len(heldout))
    most = heldout.contract.periods.maximum - 1
    found = []
    for row in rows.tolist():
        longest = min(int(heldout.lengths[row]), most)
        if longest:
            found.append(heldout.values[row, : int(random.integers(1, longest + 1))])
    return found[:RECORDS]


Curves = tuple[Doubles, Doubles, Doubles]


def _deletion(
    explainer: Explainer, history: Floats, random: np.random.Generator
) -> Question[Curves | None]:
    """Ask how the logit changes while groups are made as in the comparison.

    Returns:
        (groups + 1) in the order of effects, the same in random orders, and (groups,) shares; None
        where the estimate does not lie above the comparison's.
    """
    other = explainer.comparisons.typical(history).values
    found = yield from split(history, other, explainer.groups)
    total, size = found.effects.sum(), np.abs(found.effects).sum()
    if not np.isfinite(found.logits).all() or total <= 0:
        return None
    groups = len(explainer.groups)
    orders = [np.argsort(-found.effects, kind="stable")]
    orders += [random.permutation(groups) for _ in range(_ORDERS)]
    rows = np.concatenate([_without(order) for order in orders])
    logits = yield from logits_of(history, other, explainer.groups, rows)
    curves = logits.reshape(len(orders), groups + 1)
    curves = curves - curves[:, :1]
    return curves[0], curves[1:].mean(axis=0), np.abs(found.effects) / size


def _without(order: Positions) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Return (groups + 1, groups) the coalitions met while groups leave in some order."""
    place = np.argsort(order)
    return np.asarray(place[None, :] >= np.arange(len(order) + 1)[:, None])


# (name, whether it is a group) -> by how much the estimate changed.
Changes = dict[tuple[str, bool], float]


def _improvements(futures: Futures, history: Floats) -> Question[Changes]:
    """Ask how the estimate changes where a feature, or all of a group, is better next period."""
    outlook = futures.outlook(history, 1)
    changes: dict[tuple[str, bool], dict[int, float]] = {}
    better = {lever.column: _improved(lever, outlook) for lever in outlook.levers}
    for lever in outlook.levers:
        if (value := better[lever.column]) is not None:
            changes[lever.feature.name, False] = {lever.column: value}
    for moves in moves_of(outlook.levers, ()):
        columns = [lever.column for lever in outlook.levers if lever.group == moves[0].group]
        values = {column: value for column in columns if (value := better[column]) is not None}
        if len(columns) > 1 and values:
            changes[moves[0].group, True] = values
    if not changes:
        return {}
    changed = [outlook.changed(values) for values in changes.values()]
    risks = yield futures.histories(outlook, [{}, *changed])
    rises = (risks[1:, -1] - risks[0, -1]).tolist()
    return dict(zip(changes, rises, strict=True))


def _improved(lever: Lever, outlook: Outlook) -> float | None:
    """Return a value a quarter of the range better, or a level; None where it is at its best."""
    now = float(outlook.course[0, lever.column])
    if np.isnan(now) or (lever.best - now) * lever.sign <= 0:
        return None
    width = lever.high - lever.low
    step = width / 4 if lever.feature.kind is Kind.NUMERIC else 1.0
    closer: Callable[[float, float], float] = min if lever.sign > 0 else max
    return closer(now + lever.sign * step, lever.best)


def _judged(improved: Iterable[Changes]) -> Iterator[LeverCheck]:
    changes: dict[tuple[str, bool], list[float]] = {}
    for one in improved:
        for key, rise in one.items():
            changes.setdefault(key, []).append(rise)
    for (name, is_group), rises in sorted(changes.items(), key=lambda item: item[0][1]):
        raised = float((np.array(rises) > _RISE).mean())
        yield LeverCheck(
            name=name,
            is_group=is_group,
            records=len(rises),
            raised=round(raised, 4),
            hidden=len(rises) >= FEWEST and raised > LIMIT,
        )
