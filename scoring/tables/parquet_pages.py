"""Look at the pages of a Parquet file before they are unpacked.

What the metadata at the end of a file says of a column's size binds nobody; memory is taken by what
stands before each page. So the headers of the pages are read (parquet.thrift), and their bodies
passed over. Where pages begin is read here, too: pyarrow ends the process where what the metadata
says of a column is damaged, or encrypted.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from scoring.tables.intake import TableError
from scoring.tables.limits import BATCH_BYTES, TOGETHER_BYTES, MalformedError, too_large
from scoring.tables.parquet_thrift import I32, I64, TEXT, Compact, Wanted

_HEADER_BYTES = 64 * 1024  # with statistics, a header takes a few hundred
_FOOTER_BYTES = 16 * 2**20
_TAIL_BYTES = 8
_MAGIC = b"PAR1"
# A value is written as what differs from the one before, so that a byte can stand for a long text.
_DELTA_BYTE_ARRAY = 7
_BYTE_ARRAY = 6
# ColumnMetaData: type, path, values, packed bytes, where its pages and its dictionary begin.
_COLUMN: Wanted = {1: I32, 3: [TEXT], 5: I64, 7: I64, 9: I64, 11: I64}
# FileMetaData's row groups, their columns, what is said of each.
_FOOTER: Wanted = {4: [{1: [{3: _COLUMN}]}]}
# PageHeader: kind, size, packed size; values and encoding by the kind of page.
_DATA_PAGE, _DICTIONARY_PAGE, _DATA_PAGE_2 = 0, 2, 3
_HEADER: Wanted = {1: I32, 2: I32, 3: I32, 5: {1: I32, 2: I32}, 8: {1: I32, 4: I32}}
_OF_DATA = {_DATA_PAGE: (5, 2), _DATA_PAGE_2: (8, 4)}


@dataclass(frozen=True, slots=True)
class Chunk:
    """A column of a row group, as the end of the file tells of it.

    Attributes:
        path: Its name.
        text: Whether it holds text or bytes of any length.
        values: How many.
        start: Where its first page begins.
        size: Bytes of all its pages, packed.
    """

    path: str
    text: bool
    values: int
    start: int
    size: int


def check_footer(source: IO[bytes]) -> None:
    """Refuse a file whose metadata is too much to hold.

    Raises:
        TableError: It is.
    """
    tail = _tail(source)
    size = int.from_bytes(tail[:4], "little")
    if tail[4:] == _MAGIC and size > _FOOTER_BYTES:
        raise too_large("The file's metadata", size, "write larger row groups", _FOOTER_BYTES)
    source.seek(0)


def read_row_groups(source: IO[bytes]) -> list[list[Chunk]]:
    """Return the columns of each row group of a file that `check_footer` has passed.

    Raises:
        MalformedError: Its end does not tell them, or not in a way that every reader takes alike.
    """
    tail = _tail(source)
    size = int.from_bytes(tail[:4], "little")
    end = source.seek(0, 2)
    if tail[4:] != _MAGIC or size + _TAIL_BYTES > end:
        raise MalformedError
    source.seek(end - _TAIL_BYTES - size)
    groups = Compact(source.read(size)).struct(_FOOTER).get(4, [])
    return [[_chunk(column.get(3, {})) for column in group.get(1, [])] for group in groups]


def _tail(source: IO[bytes]) -> bytes:
    end = source.seek(0, 2)
    source.seek(max(0, end - _TAIL_BYTES))
    return source.read(_TAIL_BYTES)


def _chunk(column: dict[int, Any]) -> Chunk:
    kind, path, values, size, start = (column.get(at) for at in (1, 3, 5, 7, 9))
    if kind is None or path is None or values is None or size is None or start is None:
        raise MalformedError
    if 0 < (dictionary := column.get(11, 0)) < start:
        start = dictionary
    return Chunk(b".".join(path).decode(), kind == _BYTE_ARRAY, values, start, size)


def check_row_group(source: IO[bytes], chunks: Sequence[Chunk], columns: Sequence[str]) -> None:
    """Look at the pages of the columns that will be read.

    Args:
        source: The file.
        chunks: The columns of the row group.
        columns: Names of those that will be read.

    Raises:
        TableError: A page, or what is held of all columns at once, unpacks to too much.
        MalformedError: Where a page should be there is none.
    """
    together = 0
    for chunk in chunks:
        if chunk.path not in columns:
            continue
        largest, kept = 0, 0
        for page in _pages(source, chunk):
            if max(page.size, page.packed) > BATCH_BYTES:
                message = f"A page of `{chunk.path}`"
                raise too_large(message, max(page.size, page.packed), "write pages")
            if page.kind == _DICTIONARY_PAGE:
                kept += page.size
            largest = max(largest, page.size + page.packed)
            if chunk.text and page.encoding == _DELTA_BYTE_ARRAY:
                message = (
                    f"The text of `{chunk.path}` is written as DELTA_BYTE_ARRAY; write "
                    "it plain or with a dictionary."
                )
                raise TableError(chunk.path, "unsupported_encoding", message)
        together += largest + kept
    if together > TOGETHER_BYTES:
        raise too_large("A row group's pages", together, "write smaller pages", TOGETHER_BYTES)


@dataclass(frozen=True, slots=True)
class _Page:
    """What stands before a page: its kind, sizes in bytes, values and their encoding."""

    kind: int
    size: int
    packed: int
    values: int
    encoding: int


def _pages(source: IO[bytes], chunk: Chunk) -> Iterator[_Page]:
    """Read the headers of a column's pages, as far as a reader would."""
    at, left = chunk.start, chunk.values
    end = at + chunk.size
    if at < 0:
        raise MalformedError
    while at < end and left > 0:
        source.seek(at)
        compact = Compact(source.read(_HEADER_BYTES))
        page = _page(compact.struct(_HEADER))
        at += compact.at + page.packed
        left -= page.values
        yield page


def _page(header: dict[int, Any]) -> _Page:
    found: list[Any] = [header.get(at) for at in (1, 2, 3)]
    values: int | None = 0
    encoding: int | None = 0
    if found[0] in _OF_DATA:
        number, encoded = _OF_DATA[found[0]]
        within = header.get(number, {})
        values, encoding = within.get(1), within.get(encoded)
    found += (values, encoding)
    if any(one is None or one < 0 for one in found):
        raise MalformedError
    return _Page(*found)
