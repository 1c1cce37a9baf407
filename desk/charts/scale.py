"""Place values on a drawing."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values of `first`..`last` to coordinates `start`..`end`, which may run backwards."""

    first: float
    last: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Return a coordinate with one decimal; the middle where the range is empty."""
        if self.last == self.first:
            return round((self.start + self.end) / 2, 1)
        share = (value - self.first) / (self.last - self.first)
        return round(self.start + share * (self.end - self.start), 1)


@dataclass(frozen=True, slots=True)
class Table:
    """The numbers of a chart: column heads and rows of text; the first column heads its row."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def ticks(first: int, last: int, most: int) -> tuple[int, ...]:
    """Return at most `most` whole numbers from `first` to `last`, evenly spaced, ends included."""
    step = next(
        size
        for size in (1, 2, 3, 4, 5, 10, 20, 25, 50, 100, 1000)
        if (last - first) // size + 1 <= most
    )
    inner = [n for n in range(first, last + 1) if n % step == 0 and n - first >= step]
    marks = [first, *inner]
    return tuple(n for n in marks if n <= last)


def level_of(position: int, count: int) -> int:
    """Return 0, 1 or 2 for the lowest tier, one in between, the highest."""
    if position == 0:
        return 0
    return 2 if position == count - 1 else 1
