"""Say what is wrong with data that people hand in, where, and what to do about it.

contract file -> `ContractError`; table -> `TableError`; a whole data set -> `CohortError`.
No message ever contains a student's value.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Self

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
            examples=[
                "Attendance must be a number from 0 to 100, or missing (null, or an empty cell)."
            ],
        ),
    ]

    def located(self, file: str) -> str:
        """Write `file:row, column: message`, or `file, row …` where rows are no lines."""
        line = f":{self.row}" if ".csv" in file.lower() else f", row {self.row}"
        column = f"column '{self.field}'" if self.field else ""
        where = f"{file}{line if self.row else ''}"
        place = ", ".join(part for part in (where.removeprefix(", "), column) if part)
        return f"{place}: {self.message}" if place else self.message


class TableError(BellwetherError):
    """A table that cannot be used: as a whole, or for some of its rows.

    Args:
        faults: What is wrong, in the order of the rows; at least one.
        file: Name of the file, without its folder; empty for the body of a request.
        total: How many faults there are where `faults` does not hold them all.
    """

    def __init__(self, faults: Sequence[Fault], file: str = "", total: int | None = None) -> None:
        self.faults = list(faults)
        self.file = file
        self.total = len(self.faults) if total is None else total
        shown = [fault.located(file) for fault in self.faults[:20]]
        if self.total > len(shown):
            shown.append(f"… and {self.total - len(shown)} more")
        lines = "\n".join(f"  {line}" for line in shown)
        several = f"{self.total} problem(s) in the table:\n{lines}"
        super().__init__(shown[0] if self.total == 1 else several)

    @classmethod
    def whole(cls, field: str | None, code: str, message: str) -> Self:
        """Return the refusal of a whole table or column."""
        return cls([Fault(None, field, code, message)])

    def in_file(self, file: str) -> Self:
        """Return the same error, naming the file."""
        return type(self)(self.faults, file, self.total)

    @property
    def code(self) -> str:
        """Code of the first fault."""
        return self.faults[0].code
