"""Write many numbers as JSON at once: rounded numbers, and risks with all their decimals.

The texts are those of `msgspec.json.encode`; whole columns are put together from tables of
digits, which takes less than half of the time.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import isnan

import msgspec
import numpy as np
from numpy.typing import NDArray

from records.arrays import Doubles, Ints
from scoring.rounding import DECIMALS, RISK_DECIMALS

_json = msgspec.json.Encoder().encode
# Up to so many numbers or risks it is quicker to write one by one: in a pass, where the model has
# had the caches before. Alone, with warm caches, arrays are quicker from a third of that on.
_FEW_NUMBERS = 400
_FEW_RISKS = 300

# Numbers of at most eight bytes are one machine word: "-12." or "123.", then up to four decimals.
_SCALE = 10**DECIMALS
_LEAST, _BEYOND = -100, 1000
_LITTLE = "<u8"


def _words(texts: Sequence[bytes]) -> NDArray[np.uint64]:
    return np.array(texts, "S8").view(_LITTLE)


# 0 … 999, then -0 … -99, each with its point.
_WHOLE_TEXTS = [b"%d." % whole for whole in range(_BEYOND)]
_WHOLE_TEXTS += [b"-%d." % whole for whole in range(-_LEAST)]
_WHOLE = _words(_WHOLE_TEXTS)
_SHIFT = np.array([8 * len(text) for text in _WHOLE_TEXTS], np.uint64)
_DECIMAL = _words([(b"%0*d" % (DECIMALS, at)).rstrip(b"0") or b"0" for at in range(_SCALE)])
_NULL = _words([b"null"])[0]


def written(numbers: Doubles) -> list[bytes]:
    """Write numbers that were rounded to `scoring.policy.recommender.DECIMALS`; NaN becomes null.

    Args:
        numbers: (numbers,) float64.
    """
    if len(numbers) <= _FEW_NUMBERS:
        return _json(numbers.tolist())[1:-1].split(b",")
    short = (numbers > _LEAST) & (numbers < _BEYOND)
    everything = bool(short.all())
    scaled = np.rint(np.abs(numbers if everything else np.where(short, numbers, 0.0)) * _SCALE)
    whole, decimals = np.divmod(scaled.astype(np.int32), np.int32(_SCALE))
    whole += np.signbit(numbers) * np.int32(_BEYOND)
    word = np.asarray(_WHOLE.take(whole) | (_DECIMAL.take(decimals) << _SHIFT.take(whole)))
    if everything:
        return _cut(word)
    missing = np.isnan(numbers)
    word[missing] = _NULL
    texts = _cut(word)
    for at in (~(short | missing)).nonzero()[0].tolist():
        texts[at] = _json(float(numbers[at]))
    return texts


def _cut(words: NDArray[np.uint64]) -> list[bytes]:
    """Return the text in each word, without what is left of the word."""
    texts: list[bytes] = words.view("S8").tolist()
    return texts


# A risk is one word too: "0." or "1.", and six decimals in two groups of three.
_GROUP = 3
_ONES = _words([b"0.", b"1."])
_UPPER, _LOWER = (
    _words([b"\0" * at + b"%0*d" % (_GROUP, digits) for digits in range(10**_GROUP)])
    for at in (len("0."), len("0.") + _GROUP)
)
_RISK_WIDTH = len("0.") + RISK_DECIMALS


class _Points(dict[tuple[int, int], bytes]):
    """Templates of the points of the periods after the first number up to the second."""

    def __missing__(self, key: tuple[int, int]) -> bytes:
        points = [b'{"period":%d,"risk":%%.%df}' % (at + 1, RISK_DECIMALS) for at in range(*key)]
        self[key] = written = b",".join(points)
        return written


class Trajectories:
    """Writes the risks after every period as one block of bytes, and cuts each row's from it.

    Every point `{"period":1,"risk":0.123456},` is as wide in one row as in the next.

    Args:
        periods: The most periods of a history.
    """

    def __init__(self, periods: int) -> None:
        points = [
            b'{"period":%d,"risk":0.%0*d},' % (at, RISK_DECIMALS, 0) for at in range(1, periods + 1)
        ]
        self._points = _Points()
        self._template = np.frombuffer(b"".join(points), np.uint8)
        self._ends = np.cumsum([0, *map(len, points)])
        # Stretches of points that are equally wide, so that their digits stand at even distances.
        widths = np.diff(self._ends)
        edges = [0, *((np.diff(widths) != 0).nonzero()[0] + 1).tolist(), periods]
        self._stretches = [(start, end, int(widths[start])) for start, end in pairwise(edges)]

    def encode(self, risks: Doubles, lengths: Ints) -> tuple[list[bytes], list[bytes]]:
        """Return each row's last risk and its trajectory, the latter without brackets.

        Args:
            risks: (rows, periods) rounded; NaN where there is none. A row that has any has one
                in its last period.
            lengths: (rows,) the last period.
        """
        rows, periods = risks.shape
        if rows * periods <= _FEW_RISKS:
            few = list(map(self.of_student, risks.tolist(), lengths.tolist()))
            return [last for last, _ in few], [points for _, points in few]
        shown = ~np.isnan(risks)
        words = _risk_words(np.where(shown, risks, 0.0))
        block = self._block(words)
        width = block.shape[1]
        count = shown.sum(axis=1)
        # An assessed row shows its last period; most show all from the first one on.
        first, any_shown = shown.argmax(axis=1), count > 0
        last = np.where(any_shown, lengths, 0)
        offset = np.arange(rows) * width
        starts = (offset + self._ends[first]).tolist()
        ends = (offset + self._ends[last] - 1).tolist()  # without the last comma
        encoded = block.tobytes()
        trajectories = [
            encoded[start:end] if end > start else b""
            for start, end in zip(starts, ends, strict=True)
        ]
        for row in ((last - first != count) & any_shown).nonzero()[0].tolist():
            at = offset[row] + self._ends
            points = [encoded[at[one] : at[one + 1] - 1] for one in shown[row].nonzero()[0]]
            trajectories[row] = b",".join(points)
        return _cut(np.where(any_shown, words[np.arange(rows), last - 1], _NULL)), trajectories

    def of_student(self, risks: Sequence[float], length: int) -> tuple[bytes, bytes]:
        """Return one student's last risk and trajectory; arguments as a row of `encode`'s."""
        first = 0
        while first < length and isnan(risks[first]):
            first += 1
        if first == length:
            return b"null", b""
        known = risks[first:length]
        if isnan(sum(known)):  # a gap
            points = enumerate(known, first)
            told = [self._points[at, at + 1] % risk for at, risk in points if not isnan(risk)]
            written = b",".join(told)
        else:
            written = self._points[first, length] % tuple(known)
        return written[-_RISK_WIDTH - 1 : -1], written

    def _block(self, words: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """Write every risk of every row, (rows, bytes)."""
        rows, periods = words.shape
        width = int(self._ends[periods])
        block = np.empty((rows, width), np.uint8)
        block[:] = self._template[:width]
        texts = words.view(np.uint8).reshape(rows, periods, _RISK_WIDTH)
        for start, end, wide in self._stretches:
            stop = min(end, periods)
            if start >= stop:
                break
            points = block[:, self._ends[start] : self._ends[stop]]
            points = points.reshape(rows, stop - start, wide)
            tail = wide - len(b"},")
            points[:, :, tail - _RISK_WIDTH : tail] = texts[:, start:stop]
        return block


def _risk_words(risks: Doubles) -> NDArray[np.uint64]:
    millionths = np.rint(risks * 10**RISK_DECIMALS).astype(np.int32)
    upper, lower = np.divmod(millionths, np.int32(10**_GROUP))
    ones = upper >= 10**_GROUP
    upper[ones] = 0
    return np.asarray(_ONES.take(ones) | _UPPER.take(upper) | _LOWER.take(lower))


# The same without zeros at the end, as `risk_lists` writes risks.
_FIRST = _words([b"0.%03d" % upper for upper in range(10**_GROUP)])
_LAST = _words(
    [b"\0" * len("0.000") + (b"%03d" % lower).rstrip(b"0") for lower in range(10**_GROUP)]
)
# Whoever ends with the first group has no zeros at its end either; 1 is the last of these.
_ALONE = _words([b"%.3g" % (upper / 10**_GROUP) for upper in range(10**_GROUP + 1)])
_ALONE[[0, -1]] = _words([b"0.0", b"1.0"])
# Below a hundred-thousandth the shortest form has an exponent.
_TINY = _words([b"0.0", *(b"%de-%d" % (digit, RISK_DECIMALS) for digit in range(1, 10))])


def risk_lists(risks: Doubles, sizes: Ints) -> bytes:
    """Write a list of risks for each row, as JSON lists separated by commas; NaN becomes null.

    Args:
        risks: (rows, periods) rounded.
        sizes: (rows,) how many of each row's risks to write, from the first one on.
    """
    rows, periods = risks.shape
    if not rows or not periods:
        return b",".join([b"[]"] * rows)
    block = np.empty((rows, 1 + periods * (_RISK_WIDTH + 1) + 1), np.uint8)
    block[:, 0], block[:, -1] = ord("["), ord(",")
    cells = block[:, 1:-1].reshape(rows, periods, _RISK_WIDTH + 1)
    cells[:, :, :_RISK_WIDTH] = _short_risk_words(risks).view(np.uint8).reshape(rows, periods, -1)
    cells[:, :, _RISK_WIDTH] = ord(",")
    if (sizes == periods).all():
        cells[:, -1, _RISK_WIDTH] = ord("]")
    else:
        cells[np.arange(periods) >= sizes[:, None]] = 0
        cells[np.arange(rows), np.maximum(sizes, 1) - 1, _RISK_WIDTH] = ord("]")
    # What is left of a word, and of shorter rows, is zero bytes.
    return block.tobytes().translate(None, b"\0")[:-1]


def _short_risk_words(risks: Doubles) -> NDArray[np.uint64]:
    missing = np.isnan(risks) if isnan(risks.sum()) else None
    known = risks if missing is None else np.where(missing, 0.0, risks)
    millionths = np.rint(known * 10**RISK_DECIMALS).astype(np.int32)
    upper, lower = np.divmod(millionths, np.int32(10**_GROUP))
    words = np.asarray(_FIRST.take(upper, mode="clip") | _LAST.take(lower))
    if not lower.all():
        alone = lower == 0
        words[alone] = _ALONE.take(upper[alone])
    if millionths.min(initial=len(_TINY)) < len(_TINY):
        tiny = millionths < len(_TINY)
        words[tiny] = _TINY.take(millionths[tiny])
    if missing is not None:
        words[missing] = _NULL
    return words
