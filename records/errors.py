"""Say what is wrong with data that people hand in, where, and what to do about it.

contract file -> `ContractError`; table row -> `RecordError`; a whole data set -> `CohortError`.
No message ever contains a student's value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field


class BellwetherError(Exception):
    """Base of the errors that are the caller's to mend; the command line prints them bare."""


class ContractError(BellwetherError):
    """A contract or policy file is wrong; the message names file, line and key."""


class CohortError(BellwetherError):
    """A data set as a whole cannot be used: files missing, no eligible record, one class only."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a row or a field of data. Never contains a student's value."""

    row: Annotated[
        int | None,
        Field(
            description="Position of the student in the request, from 0; null where no student "
            "is at fault.",
            examples=[1],
        ),
    ]
    """In a file the row number as an editor shows it: the header of a CSV file is row 1. In a
    format without lines, such as Parquet, the first record is row 1. None for the whole file."""
    field: Annotated[
        str | None,
        Field(
            description="Where in the student, or in the request; null for the whole of it.",
            examples=["periods[2].attendance"],
        ),
    ]
    """In a table the name of the column."""
    code: Annotated[str, Field(description="Machine-readable reason.", examples=["out_of_range"])]
    message: Annotated[
        str,
        Field(
            description="What was expected and what to do.",
            examples=["Attendance must be a number from 0 to 100, or null where missing."],
        ),
    ]

    def located(self, file: str) -> str:
        """Write `file:row, column: message`, or `file, row …` where rows are no lines."""
        where = file
        if self.row:
            where += f":{self.row}" if ".csv" in file.lower() else f", row {self.row}"
        column = f", column '{self.field}'" if self.field else ""
        return f"{where}{column}: {self.message}"


class RecordError(BellwetherError):
    """A table holds rows that break its contract.

    Args:
        faults: What is wrong, in the order of the rows.
        file: Name of the file, without its folder.
        total: How many faults there are where `faults` does not hold them all.
    """

    def __init__(self, faults: Sequence[Fault], file: str, total: int | None = None) -> None:
        self.faults = list(faults)
        self.file = file
        self.total = len(self.faults) if total is None else total
        shown = self.faults[:20]
        lines = "\n".join(f"  {fault.located(file)}" for fault in shown)
        more = f"\n  … and {self.total - len(shown)} more" if self.total > len(shown) else ""
        super().__init__(f"{self.total} problem(s) in the table:\n{lines}{more}")
