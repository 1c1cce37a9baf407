"""Everything that is said of a finished comparison, written beside it."""

from pathlib import Path

from records.cohort import Cohort
from training.papers import Paper, beside_paper
from training.study import Plan, predictions
from training.study_intervals import differences
from training.study_tables import StudyTable, figures, tables, write_tables


def summarise(
    cohort: Cohort, out: Path, plan: Plan, *, paper: Paper | None = None
) -> list[StudyTable]:
    """Judge a finished study on the test part, write its tables, and return them.

    Args:
        cohort: The records that it was made from.
        out: Its folder.
        plan: What was compared.
        paper: Whose own figures stand beside ours.

    Raises:
        StudyError: A cell is missing.
    """
    found = list(predictions(cohort, out, plan))
    clock = cohort.contract.periods.name
    rows = figures(found, plan)
    printed = [*tables(rows, plan, clock), *differences(found, plan, clock)]
    if paper is not None:
        title = f"{plan.data}: beside the figures that {paper} reports of its own data"
        printed.append(beside_paper(rows, paper, name="beside-the-paper", title=title))
    write_tables(rows, printed, out)
    return printed
