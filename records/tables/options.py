"""How the text of a table is to be understood."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How the text of a table is to be understood.

    Attributes:
        missing: Texts that stand for a missing value, besides an empty cell, `NA` and `NaN`.
        decimal: What stands before the decimals of a number.
        thousands: What separates thousands; empty for nothing.
        percent: What `78%` is: refused, the number 78, or the share 0.78.
        digits: Whether digits of other scripts are read.
        encoding: Of the characters of a CSV file. A byte order mark comes before it.
        delimiter: Between the cells of a CSV file; None to find it in the header.
    """

    missing: tuple[str, ...] = ()
    decimal: Literal[".", ","] = "."
    thousands: str = ""
    percent: Literal["refuse", "number", "share"] = "refuse"
    digits: bool = False
    encoding: str = "utf-8"
    delimiter: str | None = None

    @property
    def reads_plain_numbers(self) -> bool:
        """Whether numbers need no rewriting before they are parsed."""
        return (self.decimal, self.thousands, self.percent, self.digits) == (
            *(".", "", "refuse"),
            False,
        )


PLAIN = ReadOptions()
