"""Divide the risk of a history against another one's among feature groups."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from explain.logits import logit
from explain.questions import Question
from explain.reasons.shapley import plan
from records.arrays import Bools, Doubles, Floats
from records.groups import FeatureGroup


@dataclass(frozen=True, eq=False)
class Split:
    """The risk of a history against another one's, divided among feature groups.

    Attributes:
        risk: Of the history, after its last period.
        other: Of the other one.
        effects: (groups,) logits; they sum to logit(risk) - logit(other).
        error: Largest standard error of them; 0 where they are exact.
        is_exact: Whether every coalition was asked about.
        coalitions: (coalitions, groups) asked about; a group that is alike in both is in none.
        logits: (coalitions,) what the model gave.
        beside: (rows, periods) risks of the further histories.
    """

    risk: float
    other: float
    effects: Doubles
    error: float
    is_exact: bool
    coalitions: Bools
    logits: Doubles
    beside: Floats


def split(
    history: Floats,
    other: Floats,
    groups: Sequence[FeatureGroup],
    beside: Floats | None = None,
) -> Question[Split]:
    """Divide the risk of a history against another one's among feature groups.

    The value of a coalition is the logit of the last period's risk where its groups are as in the
    history and all others as in the other one. A group that is alike in both adds nothing and
    is not asked about.

    Args:
        history: (periods, features).
        other: Likewise.
        groups: Which features belong together.
        beside: (rows, periods, features) further histories of the same length to ask about.
    """
    alike = (history == other) | (np.isnan(history) & np.isnan(other))
    different = [at for at, group in enumerate(groups) if not alike[:, list(group.columns)].all()]
    chosen = plan(len(different))
    coalitions = np.zeros((len(chosen.coalitions), len(groups)), np.bool_)
    coalitions[:, different] = chosen.coalitions
    rows = _mixed(history, other, groups, coalitions)
    risks = yield rows if beside is None else np.concatenate((rows, beside))
    asked = risks[: len(rows), -1]
    logits = logit(asked)
    found = chosen.effects(logits)
    effects = np.zeros(len(groups))
    effects[different] = found.values
    return Split(
        risk=float(asked[-1]),
        other=float(asked[0]),
        effects=effects,
        error=found.error,
        is_exact=found.is_exact,
        coalitions=coalitions,
        logits=logits,
        beside=risks[len(rows) :],
    )


def logits_of(
    history: Floats, other: Floats, groups: Sequence[FeatureGroup], coalitions: Bools
) -> Question[Doubles]:
    """Ask for the logits of coalitions: their groups as in the history, others as in the other.

    Args:
        history: (periods, features).
        other: Likewise.
        groups: Which features belong together.
        coalitions: (coalitions, groups).

    Returns:
        (coalitions,) logit of the risk after the last period.
    """
    risks = yield _mixed(history, other, groups, coalitions)
    return logit(risks[:, -1])


def _mixed(
    history: Floats, other: Floats, groups: Sequence[FeatureGroup], coalitions: Bools
) -> Floats:
    """Return (coalitions, periods, features)."""
    group_of = np.zeros(history.shape[1], np.intp)
    for at, group in enumerate(groups):
        group_of[list(group.columns)] = at
    return np.where(coalitions[:, None, group_of], history, other)
