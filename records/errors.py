"""Say what is wrong with data that people hand in, where, and what to do about it.

contract file -> `ContractError`; table row -> `RecordError`; a whole data set -> `CohortError`.
No message ever contains a student's value.
"""

from dataclasses import dataclass


class BellwetherError(Exception):
    """Base of the errors that are the caller's to mend; the command line prints them bare."""


class ContractError(BellwetherError):
    """A contract or policy file is wrong; the message names file, line and key."""


class CohortError(BellwetherError):
    """A data set as a whole cannot be used: files missing, nobody eligible, one class only."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with one row of a table.

    Attributes:
        file: Name of the file, without its folder.
        row: Row number as an editor shows it: the header is row 1. In a Parquet file, which has no
            lines, the first record is row 1. 0 where the file as a whole is at fault.
        column: Name of the column, or None where the whole row is at fault.
        code: Machine-readable reason, such as `out_of_range`.
        message: What was expected and what to do; never the value itself.
    """

    file: str
    row: int
    column: str | None
    code: str
    message: str

    def __str__(self) -> str:
        """Give `file:row, column: message`, or `file, row …` where rows are no lines."""
        if not self.row:
            where = self.file
        elif self.file.endswith(".parquet"):
            where = f"{self.file}, row {self.row}"
        else:
            where = f"{self.file}:{self.row}"
        column = f", column '{self.column}'" if self.column else ""
        return f"{where}{column}: {self.message}"


class RecordError(BellwetherError):
    """A table holds rows that break its contract.

    Args:
        problems: What is wrong, in the order of the rows.
        total: How many problems there are where `problems` does not hold them all.
    """

    def __init__(self, problems: list[Problem], total: int | None = None) -> None:
        self.problems = problems
        self.total = len(problems) if total is None else total
        shown = problems[:20]
        lines = "\n".join(f"  {problem}" for problem in shown)
        more = f"\n  … and {self.total - len(shown)} more" if self.total > len(shown) else ""
        super().__init__(f"{self.total} problem(s) in the table:\n{lines}{more}")
