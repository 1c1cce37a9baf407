"""Read numbers and words from columns, and tell why a text is no number."""

import re
import unicodedata
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from records.tables.options import ReadOptions

# Stands for what cannot be read until it is reported; no text and no file writes this number.
UNREADABLE = -np.finfo(np.float64).max
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?(?i:inf|infinity)$"
# What systems write where there is nothing. Only these texts are ever repeated in a message.
_MARKERS = (
    "- -- --- \u2013 \u2014 . ? NULL null None none nil N/A n/a #N/A #NA nan NAN <NA> ND NS EX "
    "Absent absent"
)
MARKERS = frozenset(_MARKERS.split())
_NAME_MARKER = "If so, name it by the option missing (--missing), or as `missing` in the contract."
_PERCENT = (
    "Percent signs were found: read them by the option percent (--percent number reads 78% as 78, "
    "--percent share as 0.78)."
)
_COMMAS = (
    "Commas between digits were found: they are decimal signs (option decimal, --decimal ,) or "
    "separate thousands (option thousands, --thousands ,)."
)
_POINTS = (
    "Points between thousands and decimal commas were found: read them by the options decimal and "
    "thousands (--decimal , --thousands .)."
)
_DECIMAL_COMMA = "Decimal commas were found: read them by the option decimal (--decimal ,)."
_THOUSANDS = (
    "Separated thousands were found: read them by the option thousands (such as --thousands ' ')."
)
_REASONS = tuple(
    (re.compile(pattern), reason)
    for pattern, reason in (
        (r"^[+-]?[\d.,]+\s*%$", _PERCENT),
        (r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$", _COMMAS),
        (r"^[+-]?\d{1,3}(\.\d{3})+,\d+$", _POINTS),
        (r"^[+-]?\d*,\d+([eE][+-]?\d+)?$", _DECIMAL_COMMA),
        (r"^[+-]?\d{1,3}([ '\u2019\u00a0\u202f]\d{3})+([.,]\d+)?$", _THOUSANDS),
    )
)
_DIGITS = (
    "Digits of another script were found: read them by the option digits (--digits), or write 0 to "
    "9."
)
_ARABIC_SIGNS = {"\u066b": ".", "\u066c": ""}  # decimal sign and separator of thousands
_MAX_WHOLE = 2**53


def numbers_of(
    column: pa.Array, missing: Sequence[str], options: ReadOptions
) -> NDArray[np.floating]:
    """Read a number from each cell: NaN where missing, `UNREADABLE` where it is none."""
    if pa.types.is_float32(column.type) or pa.types.is_float64(column.type):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    if is_number(column.type) or pa.types.is_null(column.type):
        return np.array(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    if pa.types.is_dictionary(column.type) and is_number(column.type.value_type):
        return numbers_of(column.dictionary_decode(), missing, options)
    if not is_text(column.type):
        return np.where(column.is_valid().to_numpy(zero_copy_only=False), UNREADABLE, np.nan)
    if options.reads_plain_numbers and (plain := _plain_numbers(column)) is not None:
        return plain
    words = read_words(column, missing)
    if not options.reads_plain_numbers:
        words = _rewritten(words, options)
    readable = pc.match_substring_regex(words, _NUMBER)
    numbers = pc.if_else(readable, words, None).cast(pa.float64()).to_numpy(zero_copy_only=False)
    unreadable = pc.invert(readable.fill_null(True)).to_numpy(zero_copy_only=False)
    shares = np.where(unreadable, UNREADABLE, numbers)
    if options.percent == "share":
        signed = pc.ends_with(read_words(column, missing), "%").fill_null(False)
        shares = np.where(signed.to_numpy(zero_copy_only=False) & ~unreadable, shares / 100, shares)
    return np.asarray(shares)


def _plain_numbers(column: pa.Array) -> NDArray[np.floating] | None:
    """Read a column of which every cell is empty or a number: several times as fast."""
    filled = pc.if_else(pc.equal(plain_text(column), ""), None, plain_text(column))
    try:
        read = filled.cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    numbers = read.to_numpy(zero_copy_only=False)
    # Arrow also takes 'nan' for a number.
    spelt = np.isnan(numbers) & filled.is_valid().to_numpy(zero_copy_only=False)
    return None if spelt.any() else np.asarray(numbers)


def _rewritten(words: pa.Array, options: ReadOptions) -> pa.Array:
    """Rewrite numbers as JSON would have them; other texts are left as they are."""
    if options.digits:
        words = pa.array([_western(word) for word in words.to_pylist()], pa.string())
    if options.percent != "refuse":
        words = pc.replace_substring_regex(words, r"^(.*\d)\s*%$", r"\1")
    mark = re.escape(options.decimal)
    if options.thousands:
        separator = re.escape(options.thousands)
        grouped = pc.match_substring_regex(
            words, rf"^[+-]?\d{{1,3}}({separator}\d{{3}})+({mark}\d+)?$"
        )
        words = pc.if_else(grouped, pc.replace_substring(words, options.thousands, ""), words)
    if options.decimal == ",":
        decimal = pc.match_substring_regex(words, r"^[+-]?\d*,\d+([eE][+-]?\d+)?$")
        pointed = pc.match_substring(words, ".")
        # '1.234' is ambiguous where commas are decimal signs.
        words = pc.if_else(pointed, pc.binary_join_element_wise(words, "?", ""), words)
        words = pc.if_else(decimal, pc.replace_substring(words, ",", "."), words)
    return words


def _western(word: str | None) -> str | None:
    if word is None or word.isascii():
        return word
    return "".join(
        str(unicodedata.decimal(one)) if one.isdecimal() else _ARABIC_SIGNS.get(one, one)
        for one in word
    )


def reason_of(text: str, *, numeric: bool) -> tuple[str | None, str]:
    """Tell why a text cannot be read: the marker that it is, if any, and what to do."""
    word = text.strip()
    if word in MARKERS:
        return word, _NAME_MARKER
    if not numeric:
        return None, ""
    for pattern, reason in _REASONS:
        if pattern.match(word):
            return None, reason
    if not word.isascii() and any(letter.isdecimal() and letter > "9" for letter in word):
        return None, _DIGITS
    return None, ""


def read_words(column: pa.Array, missing: Sequence[str]) -> pa.Array:
    """The cells as trimmed text, null where missing."""
    words = pc.utf8_trim_whitespace(plain_text(column))
    return pc.if_else(pc.is_in(words, value_set=pa.array(missing, pa.string())), None, words)


def plain_text(column: pa.Array) -> pa.Array:
    """The cells as text; whole numbers without decimals, other fractions as null.

    Ids and levels are texts or whole numbers; a column with gaps may hold them as floats.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type) or pa.types.is_decimal(column.type):
        numbers = column.cast(pa.float64(), safe=False)
        numbers = pc.if_else(pc.is_nan(numbers), None, numbers)
        whole = pc.and_(
            pc.equal(pc.trunc(numbers), numbers), pc.less(pc.abs(numbers), float(_MAX_WHOLE))
        )
        return pc.if_else(whole, numbers, None).cast(pa.int64()).cast(pa.string())
    return column.cast(pa.string())


def is_number(kind: pa.DataType) -> bool:
    """Tell whether a column of this type holds numbers."""
    return bool(
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    )


def is_text(kind: pa.DataType) -> bool:
    """Tell whether a column of this type holds text, dictionary-encoded or not."""
    text = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(
        pa.types.is_string(text) or pa.types.is_large_string(text) or pa.types.is_string_view(text)
    )
