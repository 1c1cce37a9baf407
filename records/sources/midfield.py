"""Undergraduates term by term: `load_midfield`."""

from pathlib import Path
from typing import Final, Literal

import numpy as np

from records.cohort import Cohort
from records.contract import Contract, RiskTarget, load_contract
from records.errors import CohortError
from records.progress import Progress
from records.sources.midfield_degrees import deadline, no_degree
from records.sources.midfield_tables import ID, read_midfield_tables
from records.sources.midfield_terms import TermGrid, background, by_term

Risk = Literal["low_gpa", "no_degree"]

LOW_GPA: Final = 2.0
POINTS_PER_GRADE: Final = 25
_NO_DEGREE: Final = RiskTarget(
    label="No degree within six years of entry",
    description="1 where no degree was earned within six years of the first term; unknown where "
    "the institution's records do not cover the six years.",
)


def load_midfield(
    folder: Path, *, risk: Risk = "low_gpa", progress: Progress | None = None
) -> Cohort:
    """Load the MIDFIELD files as one record per student and one period per term of enrolment.

    Terms are numbered YYYYT, T = 1 fall, 2 winter, 3 spring, 4 to 6 summer, of the academic year
    that begins in YYYY. Period n is the nth term in which the student was enrolled; terms skipped
    are no periods, `terms_skipped` counts them.

    - Lengths: terms up to the one of the first degree, and no more than the contract holds (14;
      fewer than one student in a hundred has more). Students who earned a degree before the first
      recorded term is left out.
    - Eligible: terms before the one of the first degree; for 'no_degree' also only until six
      years after entry, when the outcome is known.
    - Score: GPA of the next term of enrolment times 25, NaN where there is none or it was not
      graded.
    - Risk 'low_gpa': whether that GPA is below 2.0.
    - Risk 'no_degree': whether no degree was earned within six years of the first term, independent of what
      credit came from another college; NaN where the institution's records do not tell, see
      `midfield_degrees.no_degree`.
    - Race, sex, age group and citizenship are audit attributes only.

    Args:
        folder: Holds student, term and degree, as .csv or .csv.gz; where both are there, the .csv
            is read.
        risk: Which outcome to warn of. The contract's label names it; everything but the
            contract's risk label, `risk` and `eligible` is the same.
        progress: Called with a text, what is done and what there is to do.

    Returns:
        Cohort of the contract `midfield`; `cohorts` are the years of entry.

    Raises:
        CohortError: A file, column or cell is not as published; the message names it.
    """
    contract = load_contract("midfield")
    if risk == "no_degree":
        contract = _with_risk(contract, _NO_DEGREE)
    if progress:
        progress("reading the MIDFIELD files", 0, 2)
    tables = read_midfield_tables(folder, contract)
    if progress:
        progress("computing the terms of each student", 1, 2)
    students, periods = tables.students, contract.periods.maximum
    # One term more than there are periods: the last period's target.
    grid = TermGrid(tables, periods + 1)
    term = grid.numbers("term")
    lengths = (~np.isnan(term[:, :periods])).sum(axis=1).astype(np.int32)
    values = np.full((len(students), periods, len(contract.features)), np.nan, np.float32)
    columns = {**background(students, contract), **by_term(grid, contract)}
    for position, name in enumerate(contract.feature_names):
        values[:, :, position] = columns[name][:, :periods]
    values[np.arange(periods) >= lengths[:, None]] = np.nan

    upcoming = POINTS_PER_GRADE * grid.numbers("gpa_term")[:, 1:]
    first_degree = students["first_degree"].fillna(np.inf).to_numpy(np.float64)[:, None]
    eligible = term[:, :periods] < first_degree
    outcome = np.where(np.isnan(upcoming), np.nan, upcoming < POINTS_PER_GRADE * LOW_GPA)
    if risk == "no_degree":
        entry = term[:, :1]
        eligible &= term[:, :periods] < deadline(entry)
        outcome = no_degree(tables, entry)
    score = np.where(eligible, upcoming, np.nan).astype(np.float32)
    ids = students[ID].to_numpy().astype(np.str_)
    if progress:
        progress("computing the terms of each student", 2, 2)
    return Cohort(
        contract=contract,
        ids=ids,
        students=ids,
        cohorts=(term[:, 0] // 10).astype(int).astype("U4"),
        values=values,
        lengths=lengths,
        eligible=eligible,
        risk=np.where(eligible, outcome, np.nan).astype(np.float32),
        score=score[:, :, None],
        audit={
            attribute.name: students[attribute.name].fillna("").to_numpy().astype(np.str_)
            for attribute in contract.audit
        },
    )


def _with_risk(contract: Contract, risk: RiskTarget) -> Contract:
    # Validated anew: a copied model would carry the old fingerprint along.
    targets = {**contract.targets.model_dump(), "risk": risk.model_dump()}
    return Contract.model_validate({**contract.model_dump(), "targets": targets})


def risk_outcome(text: str | None) -> Risk:
    """Read the outcome from text, such as a command-line option; None is the default.

    Raises:
        CohortError: Neither `low_gpa` nor `no_degree`.
    """
    if text is None or text == "low_gpa":
        return "low_gpa"
    if text == "no_degree":
        return "no_degree"
    raise CohortError("risk is 'low_gpa' or 'no_degree'.")
