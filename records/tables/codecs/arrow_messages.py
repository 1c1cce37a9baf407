"""Check an Arrow IPC stream message by message, so that none unpacks to more than memory may hold.

Columnar.rst of Apache Arrow, "Encapsulated message format": a message is `FFFFFFFF`, the length of
its metadata, the metadata (a FlatBuffer, Message.fbs) and its body. In a compressed body every
buffer begins with the 8 bytes of its unpacked length, -1 for a buffer that is not compressed.
"""

import io
import struct
from dataclasses import dataclass, field
from typing import IO

from records.tables.codecs.limits import BATCH_BYTES, TOGETHER_BYTES, MalformedError, too_large

_CONTINUATION = 0xFFFFFFFF
_DICTIONARY, _RECORDS = 2, 3  # of the union MessageHeader
_ADVICE = "write batches"


class MessageReader(io.RawIOBase):
    """Passes an Arrow stream on message by message, each checked before.

    Bytes that are no message are passed on unchanged: Arrow reports what is wrong with them.

    Args:
        source: The stream.
    """

    def __init__(self, source: IO[bytes]) -> None:
        super().__init__()
        self._source = source
        self._limits = Unpacked()
        self._ready: list[memoryview] = []

    def readable(self) -> bool:
        """Return true."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, fewer only at the end.

        Raises:
            TableError: The next message holds more than memory may.
        """
        taken: list[memoryview] = []
        while size and (self._ready or self._fetch()):
            part = self._ready.pop(0)
            if 0 <= size < len(part):
                self._ready.insert(0, part[size:])
                part = part[:size]
            taken.append(part)
            size -= len(part) if size > 0 else 0
        return taken[0].tobytes() if len(taken) == 1 else b"".join(taken)

    def _fetch(self) -> bool:
        """Make the next message ready; return whether there is one."""
        head = self._source.read(4)
        modern = int.from_bytes(head, "little") == _CONTINUATION
        parts = [head, self._source.read(4)] if modern else [head]  # before 0.15: none
        size = int.from_bytes(parts[-1], "little")
        if size > BATCH_BYTES:  # only a batch can be so large, and only its body
            raise MalformedError
        metadata = self._source.read(size)
        parts.append(metadata)
        length = body_length(metadata) if metadata else 0
        if length > BATCH_BYTES:
            raise too_large("A record batch", length, _ADVICE)
        if length:
            parts.append(self._source.read(length))
            self._limits.check(metadata, parts[-1])
        self._ready = [memoryview(part) for part in parts if part]
        return bool(self._ready)


@dataclass(slots=True)
class Unpacked:
    """What the messages of a stream unpack to.

    Attributes:
        rows: Rows of all records so far.
    """

    rows: int = 0
    _dictionaries: dict[int, int] = field(default_factory=dict)

    def check(self, metadata: bytes | memoryview, body: bytes | memoryview) -> None:
        """Look at a message that is a batch of records or a dictionary.

        Raises:
            TableError: It unpacks to more than memory may hold.
            MalformedError: It does not hold what it should.
        """
        message = _Table.root(metadata)
        kind, header = message.number(1, "B"), message.table(2)
        if kind == _RECORDS and header is not None:
            size = _unpacked(header, body)
            self.rows += header.number(0, "q")
        elif kind == _DICTIONARY and header is not None:
            size = _unpacked(header.table(1), body)
            name, more = header.number(0, "q"), header.number(2, "B")
            self._dictionaries[name] = size + (self._dictionaries.get(name, 0) if more else 0)
            if (kept := sum(self._dictionaries.values())) > TOGETHER_BYTES:
                raise too_large("What the dictionaries hold", kept, "send some", TOGETHER_BYTES)
        else:
            return
        if size > BATCH_BYTES:
            raise too_large("A record batch", size, _ADVICE)


def check_stream(stream: memoryview) -> int:
    """Look at every message of a stream that is in memory; return how many rows they hold.

    Raises:
        TableError: One of them unpacks to more than memory may hold.
        MalformedError: It is no such stream.
    """
    limits, at = Unpacked(), 0
    while at + 8 <= len(stream):
        (first, second) = struct.unpack_from("<II", stream, at)
        size, at = (second, at + 8) if first == _CONTINUATION else (first, at + 4)
        if not size:
            break
        metadata = stream[at : at + size]
        at += size
        length = body_length(metadata)
        if length:
            limits.check(metadata, stream[at : at + length])
            at += length
    return limits.rows


def body_length(metadata: bytes | memoryview) -> int:
    """Return how many bytes of body follow a message's metadata.

    Raises:
        MalformedError: It is no metadata.
    """
    length = _Table.root(metadata).number(3, "q")
    if length < 0:
        raise MalformedError
    return length


def _unpacked(batch: "_Table | None", body: bytes | memoryview) -> int:
    """Return what the buffers of a RecordBatch (Message.fbs) unpack to."""
    if batch is None:
        raise MalformedError
    if batch.table(3) is None:  # nothing is copied
        return len(body)
    size = 0
    for offset, length in batch.pairs(2):
        if offset < 0 or length < 0:
            raise MalformedError
        size += max(length, _read(body, offset, "q") if length else 0)
    return size


class _Table:
    """A table of a FlatBuffer.

    Every place that it points to is checked: the bytes come from outside.
    """

    __slots__ = ("at", "data")

    def __init__(self, data: bytes | memoryview, at: int) -> None:
        self.data = data
        self.at = at

    @classmethod
    def root(cls, data: bytes | memoryview) -> "_Table":
        return cls(data, _read(data, 0, "I"))

    def number(self, field_number: int, kind: str) -> int:
        """Return a number, 0 where it is left out."""
        place = self._place(field_number)
        return 0 if place is None else _read(self.data, place, kind)

    def table(self, field_number: int) -> "_Table | None":
        """Return a table within, None where it is left out."""
        place = self._place(field_number)
        return None if place is None else _Table(self.data, place + _read(self.data, place, "I"))

    def pairs(self, field_number: int) -> list[tuple[int, int]]:
        """Return a vector of structs of two int64."""
        place = self._place(field_number)
        if place is None:
            return []
        start = place + _read(self.data, place, "I")
        count = _read(self.data, start, "I")
        if start + 4 + 16 * count > len(self.data):
            raise MalformedError
        return list(struct.iter_unpack("<qq", self.data[start + 4 : start + 4 + 16 * count]))

    def _place(self, field_number: int) -> int | None:
        vtable = self.at - _read(self.data, self.at, "i")
        if _read(self.data, vtable, "H") < 6 + 2 * field_number:
            return None
        offset = _read(self.data, vtable + 4 + 2 * field_number, "H")
        return self.at + offset if offset else None


def _read(data: bytes | memoryview, at: int, kind: str) -> int:
    if at < 0:  # Python would count from the end
        raise MalformedError
    try:
        number: int = _FORMATS[kind].unpack_from(data, at)[0]
    except struct.error:
        raise MalformedError from None
    return number


_FORMATS = {kind: struct.Struct(f"<{kind}") for kind in "BHiIq"}
