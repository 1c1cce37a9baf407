"""All tables of a finished comparison, written beside it."""

from pathlib import Path

from records.cohort import Cohort
from training.studies.papers import Paper, beside_paper
from training.studies.study import Plan, of_parts
from training.studies.study_coverage import coverage
from training.studies.study_intervals import differences
from training.studies.study_tables import StudyTable, figures, tables, write_tables


def summarise(
    cohort: Cohort, out: Path, plan: Plan, *, paper: Paper | None = None
) -> list[StudyTable]:
    """Judge a finished study on validation and test part, write its tables, and return them.

    Args:
        cohort: The records that it was made from.
        out: Its folder.
        plan: What was compared.
        paper: Whose own figures stand beside ours.

    Raises:
        StudyError: A cell is missing.
    """
    both = list(of_parts(cohort, out, plan, ("validation", "test")))
    validation, found = [one for one, _ in both], [one for _, one in both]
    clock = cohort.contract.periods.name
    tested = figures(found, plan)
    rows = [
        *tested,
        *coverage(validation, found, plan),
        *figures(validation, plan, "validation"),
    ]
    printed = [*tables(rows, plan, clock), *differences(found, plan, clock)]
    if paper is not None:
        title = f"{plan.data}: beside the figures that {paper} reports of its own data"
        printed.append(beside_paper(tested, paper, name="beside-the-paper", title=title))
    write_tables(rows, printed, out)
    return printed
