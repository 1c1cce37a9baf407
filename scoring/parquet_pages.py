"""Look at the pages of a Parquet file before they are unpacked.

What the metadata at the end of a file says of a column's size binds nobody; memory is taken by what
stands before each page. So the headers of the pages are read (parquet.thrift, in the compact
protocol of Apache Thrift), and their bodies passed over.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import pyarrow.parquet as pq

from scoring.table_intake import TableError
from scoring.table_limits import BATCH_BYTES, TOGETHER_BYTES, MalformedError, too_large

_HEADER_BYTES = 64 * 1024  # with statistics, a header takes a few hundred
_FOOTER_BYTES = 16 * 2**20
_MAGIC = b"PAR1"
_DICTIONARY_PAGE = 2
# A value is written as what differs from the one before, so that a byte can stand for a long text.
_DELTA_BYTE_ARRAY = 7
_DATA_HEADERS = (5, 8)  # of the versions 1 and 2
_BOUNDED_DEPTH = 8


def check_footer(source: IO[bytes]) -> None:
    """Refuse a file whose metadata is too much to hold.

    Raises:
        TableError: It is.
    """
    end = source.seek(0, 2)
    source.seek(max(0, end - 8))
    tail = source.read(8)
    size = int.from_bytes(tail[:4], "little")
    if tail[4:] == _MAGIC and size > _FOOTER_BYTES:
        raise too_large("The file's metadata", size, "write larger row groups", _FOOTER_BYTES)
    source.seek(0)


def check_row_group(
    source: IO[bytes], metadata: pq.FileMetaData, group: int, columns: list[str]
) -> None:
    """Look at the pages of the columns that will be read.

    Args:
        source: The file.
        metadata: What stands at its end.
        group: Position of the row group.
        columns: Their names.

    Raises:
        TableError: A page, or what is held of all columns at once, unpacks to too much.
        MalformedError: Where a page should be there is none.
    """
    row_group, together = metadata.row_group(group), 0
    for at in range(row_group.num_columns):
        chunk = row_group.column(at)
        if chunk.path_in_schema not in columns:
            continue
        largest, kept = 0, 0
        for page in _pages(source, chunk):
            if max(page.size, page.packed) > BATCH_BYTES:
                message = f"A page of `{chunk.path_in_schema}`"
                raise too_large(message, max(page.size, page.packed), "write pages")
            if page.kind == _DICTIONARY_PAGE:
                kept += page.size
            largest = max(largest, page.size + page.packed)
            if chunk.physical_type == "BYTE_ARRAY" and page.encoding == _DELTA_BYTE_ARRAY:
                message = (
                    f"The text of `{chunk.path_in_schema}` is written as DELTA_BYTE_ARRAY; write "
                    "it plain or with a dictionary."
                )
                raise TableError(chunk.path_in_schema, "unsupported_encoding", message)
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


def _pages(source: IO[bytes], chunk: Any) -> Iterator[_Page]:
    """Read the headers of a column's pages, as far as a reader would."""
    at = chunk.data_page_offset
    if chunk.has_dictionary_page and 0 < chunk.dictionary_page_offset < at:
        at = chunk.dictionary_page_offset
    end, left = at + chunk.total_compressed_size, chunk.num_values
    if at < 0:
        raise MalformedError
    while at < end and left > 0:
        source.seek(at)
        compact = _Compact(source.read(_HEADER_BYTES))
        header = compact.struct()
        page = _page(header)
        at += compact.at + page.packed
        left -= page.values
        yield page


def _page(header: dict[int, Any]) -> _Page:
    number = next((one for one in _DATA_HEADERS if one in header), None)
    within: Any = {} if number is None else header[number]
    if not isinstance(within, dict):
        raise MalformedError
    encoding = within.get(4 if number == _DATA_HEADERS[1] else 2, 0)
    found: list[Any] = [header.get(1), header.get(2), header.get(3), within.get(1, 0), encoding]
    if not all(isinstance(one, int) and one >= 0 for one in found):
        raise MalformedError
    return _Page(*found)


class _Compact:
    """Reads structs of Thrift's compact protocol: field number -> number, bytes, list or struct."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Read a struct."""
        if depth > _BOUNDED_DEPTH:
            raise MalformedError
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            kind, step = head & 0x0F, head >> 4
            number = number + step if step else self._zigzag()
            fields[number] = self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in {1, 2}:  # true and false
            value: Any = kind == 1
        elif kind == 3:
            value = self._byte()
        elif kind in {4, 5, 6}:
            value = self._zigzag()
        elif kind in {7, 8}:  # a double; text
            value = self._take(8 if kind == 7 else self._varint())
        elif kind in {9, 10}:
            value = self._list(depth)
        elif kind == 12:
            value = self.struct(depth + 1)
        else:
            raise MalformedError
        return value

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._varint()
        if size > len(self._data):
            raise MalformedError
        return [self._element(head & 0x0F, depth + 1) for _ in range(size)]

    def _element(self, kind: int, depth: int) -> Any:
        # In a list, true and false take a byte each.
        return self._byte() == 1 if kind in {1, 2} else self._value(kind, depth)

    def _zigzag(self) -> int:
        number = self._varint()
        return (number >> 1) ^ -(number & 1)

    def _varint(self) -> int:
        number, shift = 0, 0
        while True:
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number
            if shift > 63:
                raise MalformedError

    def _byte(self) -> int:
        return self._take(1)[0]

    def _take(self, size: int) -> bytes:
        taken = self._data[self.at : self.at + size]
        if len(taken) < size:
            raise MalformedError
        self.at += size
        return taken
