"""Tables of what was checked of reasons and what-if, by the run's own network."""

from collections.abc import Callable

from explain.checks import check_explanations
from explain.reasons.explainer import Explainer
from explain.what_if.futures import Futures
from records.arrays import Floats, Ints
from records.cohort import Cohort
from records.learnt.reference import Reference
from report.tables import Table
from scoring.bundle.manifest import ExplanationChecks
from scoring.runtime.scorer import pad_periods
from scoring.students.relatives import Relatives

# Keras is quickest in few, large executions.
_CELLS = 1 << 17


def check_network(
    network: Callable[[Floats], Floats], heldout: Cohort, reference: Reference
) -> ExplanationChecks:
    """Check reasons and what-if of a risk network on held-out records.

    Args:
        network: (records, all periods, features) to (records, all periods).
        heldout: Records that it was not fitted on.
        reference: What was usual in the training part.
    """
    contract = heldout.contract

    def predict(values: Floats, _: Ints) -> Floats:
        # One length, or Keras would build the network anew for each.
        padded = pad_periods(values, contract.periods.maximum)
        return network(padded)[:, : values.shape[1]]

    return check_explanations(
        predict,
        Explainer(predict, contract, reference.typical),
        Futures(contract, reference.typical, Relatives.from_contract(contract, reference.relative)),
        heldout,
        cells=_CELLS,
    )


def explanation_tables(checks: ExplanationChecks) -> list[Table]:
    """Return how the estimate falls in the order of reasons, and which features what-if hides."""
    tables = [_deletion(checks), _groups(checks)] if checks.explained else []
    return [*tables, _levers(checks)] if checks.levers else tables


def _deletion(checks: ExplanationChecks) -> Table:
    note = (
        "Change of the logit after so many feature groups were made as in the comparison, mean of "
        f"{checks.explained} records above it. In the order of reasons, the largest effect first, "
        "it has to fall faster than in a random order."
    )
    rows = tuple(
        (str(at), ordered, other, other - ordered)
        for at, (ordered, other) in enumerate(zip(checks.ordered, checks.random, strict=True))
        if at
    )
    header = ("groups", "in the order of reasons", "in a random order", "difference")
    return Table("reasons_deletion", "Do reasons name what counts?", header, rows, note)


def _groups(checks: ExplanationChecks) -> Table:
    rows = tuple(sorted(checks.shares.items(), key=lambda item: -item[1]))
    note = "Mean share of the absolute effects, over the same records."
    return Table("reasons_groups", "Which groups count how much", ("group", "share"), rows, note)


def _levers(checks: ExplanationChecks) -> Table:
    note = (
        "How often the estimate rose although a feature improved by a quarter of its ordinary "
        "range. Above 5% what-if does not offer it."
    )
    rows = tuple(
        (
            f"{lever.name} (group)" if lever.is_group else lever.name,
            lever.records,
            lever.raised,
            "hidden" if lever.hidden else "offered",
        )
        for lever in checks.levers
    )
    header = ("improved", "records", "estimate rose", "what-if")
    title = "Does the estimate fall where a student improves?"
    return Table("reasons_levers", title, header, rows, note)
