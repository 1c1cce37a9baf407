"""Write many numbers as JSON at once: rounded numbers, and risks.

The texts are those of `msgspec.json.encode`. Columns of numbers are put together from tables of
digits, which takes less than half of the time.
"""

from collections.abc import Sequence
from math import isnan

import msgspec
import numpy as np
from numpy.typing import NDArray

from records.arrays import Doubles, Ints
from scoring.rounding import DECIMALS, RISK_DECIMALS

_json = msgspec.json.Encoder().encode
# Up to this many numbers, writing them one by one is faster.
_FEW_NUMBERS = 400

# Numbers of at most eight bytes are one machine word: "-12." or "123.", then up to four decimals.
_SCALE = 10**DECIMALS
_MINIMUM, _LIMIT = -100, 1000
_LITTLE = "<u8"


def _words(texts: Sequence[bytes]) -> NDArray[np.uint64]:
    return np.array(texts, "S8").view(_LITTLE)


# 0 … 999, then -0 … -99, each with its point.
_WHOLE_TEXTS = [b"%d." % whole for whole in range(_LIMIT)]
_WHOLE_TEXTS += [b"-%d." % whole for whole in range(-_MINIMUM)]
_WHOLE = _words(_WHOLE_TEXTS)
_SHIFT = np.array([8 * len(text) for text in _WHOLE_TEXTS], np.uint64)
_DECIMAL = _words([(b"%0*d" % (DECIMALS, at)).rstrip(b"0") or b"0" for at in range(_SCALE)])
_NULL = _words([b"null"])[0]


def written(numbers: Doubles) -> list[bytes]:
    """Write numbers that were rounded to `scoring.rounding.DECIMALS`; NaN becomes null.

    Args:
        numbers: (numbers,) float64.
    """
    if len(numbers) <= _FEW_NUMBERS:
        return _json(numbers.tolist())[1:-1].split(b",")
    is_short = (numbers > _MINIMUM) & (numbers < _LIMIT)
    all_short = bool(is_short.all())
    scaled = np.rint(np.abs(numbers if all_short else np.where(is_short, numbers, 0.0)) * _SCALE)
    whole, decimals = np.divmod(scaled.astype(np.int32), np.int32(_SCALE))
    whole += np.signbit(numbers) * np.int32(_LIMIT)
    word = np.asarray(_WHOLE.take(whole) | (_DECIMAL.take(decimals) << _SHIFT.take(whole)))
    if all_short:
        return _texts(word)
    is_missing = np.isnan(numbers)
    word[is_missing] = _NULL
    texts = _texts(word)
    for at in (~(is_short | is_missing)).nonzero()[0].tolist():
        texts[at] = _json(float(numbers[at]))
    return texts


def _texts(words: NDArray[np.uint64]) -> list[bytes]:
    """Return the text in each word, without its trailing zero bytes."""
    texts: list[bytes] = words.view("S8").tolist()
    return texts


# A risk is one word too: "0." or "1.", and six decimals in two groups of three.
_GROUP = 3
_RISK_WIDTH = len("0.") + RISK_DECIMALS
_ONES = _words([b"0.", b"1."])
_UPPER, _LOWER = (
    _words([b"\0" * at + b"%0*d" % (_GROUP, digits) for digits in range(10**_GROUP)])
    for at in (len("0."), len("0.") + _GROUP)
)


class Trajectories:
    """Writes the risks after every period, with all their decimals.

    Args:
        periods: The most periods of a history.
    """

    def __init__(self, periods: int) -> None:
        self._points = [b'{"period":%d,"risk":%%b}' % at for at in range(1, periods + 1)]
        # From one period to another: most histories have a risk in each but the first ones.
        self._stretches: dict[tuple[int, int], bytes] = {}

    def encode(self, risks: Doubles, lengths: Ints) -> tuple[list[bytes], list[bytes]]:
        """Return each row's last risk and its trajectory, the latter without brackets.

        Args:
            risks: (rows, periods) rounded; NaN where there is none. A row that has any has one
                in its last period.
            lengths: (rows,) the last period.
        """
        periods = risks.shape[1]
        is_shown = ~np.isnan(risks)
        texts = _texts(_fixed_words(np.where(is_shown, risks, 0.0)).ravel())
        latest: list[bytes] = []
        trajectories: list[bytes] = []
        columns = (is_shown.sum(axis=1), is_shown.argmax(axis=1), lengths)
        facts = zip(*(column.tolist() for column in columns), strict=True)
        for row, (count, first, length) in enumerate(facts):
            start, end = row * periods + first, row * periods + length
            if not count:
                latest.append(b"null")
                trajectories.append(b"")
                continue
            latest.append(texts[end - 1])
            if count == length - first:
                stretch = self._stretches.get((first, length)) or self._stretch(first, length)
                trajectories.append(stretch % tuple(texts[start:end]))
            else:
                at = np.flatnonzero(is_shown[row]).tolist()
                points = [self._points[one] % texts[row * periods + one] for one in at]
                trajectories.append(b",".join(points))
        return latest, trajectories

    def _stretch(self, first: int, length: int) -> bytes:
        template = self._stretches[first, length] = b",".join(self._points[first:length])
        return template


def _fixed_words(risks: Doubles) -> NDArray[np.uint64]:
    """Write risks with all six decimals."""
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
# Risks without a second group, which have no zeros at their end either; 1 is the last entry.
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
    cells[:, :, :_RISK_WIDTH] = _risk_words(risks).view(np.uint8).reshape(rows, periods, -1)
    cells[:, :, _RISK_WIDTH] = ord(",")
    if (sizes == periods).all():
        cells[:, -1, _RISK_WIDTH] = ord("]")
    else:
        cells[np.arange(periods) >= sizes[:, None]] = 0
        cells[np.arange(rows), np.maximum(sizes, 1) - 1, _RISK_WIDTH] = ord("]")
    # Unused bytes of words and of shorter rows are zero.
    return block.tobytes().translate(None, b"\0")[:-1]


def _risk_words(risks: Doubles) -> NDArray[np.uint64]:
    is_missing = np.isnan(risks) if isnan(risks.sum()) else None
    numbers = risks if is_missing is None else np.where(is_missing, 0.0, risks)
    millionths = np.rint(numbers * 10**RISK_DECIMALS).astype(np.int32)
    upper, lower = np.divmod(millionths, np.int32(10**_GROUP))
    words = np.asarray(_FIRST.take(upper, mode="clip") | _LAST.take(lower))
    if not lower.all():
        alone = lower == 0
        words[alone] = _ALONE.take(upper[alone])
    if millionths.min(initial=len(_TINY)) < len(_TINY):
        tiny = millionths < len(_TINY)
        words[tiny] = _TINY.take(millionths[tiny])
    if is_missing is not None:
        words[is_missing] = _NULL
    return words
