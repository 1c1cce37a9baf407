"""Read structs of Apache Thrift's compact protocol, as far as they are wanted.

The bytes come from outside, and another reader (pyarrow's) will make its own of them. So whatever
two readers could take differently is refused: a field that comes twice or is of another type than
it should be, a number that is too large for its type.
"""

from collections.abc import Mapping
from typing import Any

from scoring.tables.limits import MalformedError

# Types of the compact protocol. The first two are true and false, which need no more bytes.
_TRUE, _FALSE, BYTE, I16, I32, I64, _DOUBLE, TEXT, _LIST, _SET, _STRUCT = (*range(1, 11), 12)
_BITS = {I16: 16, I32: 32, I64: 64}
_DOUBLE_BYTES = 8
_DEEPEST = 8

# The fields of a struct that are wanted, by number: a type, the fields of a struct within, or a
# list of what its elements are.
Wanted = Mapping[int, Any]
_NOTHING: Wanted = {}


class Compact:
    """Reads from the beginning of some bytes.

    Args:
        data: The bytes.

    Attributes:
        at: How many have been read.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def struct(self, wanted: Wanted, depth: int = 0) -> dict[int, Any]:
        """Read a struct: field number -> number, bytes, struct or list.

        Args:
            wanted: Its fields that are kept; the others are passed over.
            depth: How many structs and lists it lies in.

        Raises:
            MalformedError: It is none, or not one that every reader takes alike.
        """
        if depth > _DEEPEST:
            raise MalformedError
        seen: set[int] = set()
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            step = head >> 4
            number = number + step if step else self._number(I16)
            if number in seen:
                raise MalformedError
            seen.add(number)
            kept = wanted.get(number)
            value = self._value(head & 0x0F, depth, kept)
            if kept is not None:
                fields[number] = value
        return fields

    def _value(self, kind: int, depth: int, wanted: Any) -> Any:
        if wanted is not None and kind != _type_of(wanted):
            raise MalformedError
        if kind in _BITS:
            return self._number(kind)
        if kind in {TEXT, _DOUBLE}:
            return self._take(_DOUBLE_BYTES if kind == _DOUBLE else self._varint())
        if kind == _STRUCT:
            return self.struct(_NOTHING if wanted is None else wanted, depth + 1)
        if kind in {_LIST, _SET}:
            return self._list(depth, wanted)
        if kind not in {_TRUE, _FALSE, BYTE}:
            raise MalformedError
        return self._byte() if kind == BYTE else kind == _TRUE

    def _list(self, depth: int, wanted: list[Any] | None) -> list[Any]:
        head = self._byte()
        kind, size = head & 0x0F, head >> 4 if head >> 4 < 15 else self._varint()
        if size > len(self._data):
            raise MalformedError
        kept: list[Any] = []
        for _ in range(size):
            # In a list, true and false take a byte each.
            one = (
                self._byte()
                if kind in {_TRUE, _FALSE}
                else self._value(kind, depth + 1, None if wanted is None else wanted[0])
            )
            if wanted is not None:
                kept.append(one)
        return kept

    def _number(self, kind: int) -> int:
        number = self._varint()
        if number >> _BITS[kind]:  # some readers cut it
            raise MalformedError
        return (number >> 1) ^ -(number & 1)

    def _varint(self) -> int:
        number, shift = self._byte(), 7
        if number < 0x80:  # nearly all are
            return number
        number &= 0x7F
        while shift <= 63:
            byte = self._byte()
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7
        raise MalformedError

    def _byte(self) -> int:
        try:
            byte = self._data[self.at]
        except IndexError:
            raise MalformedError from None
        self.at += 1
        return byte

    def _take(self, size: int) -> bytes:
        taken = self._data[self.at : self.at + size]
        if len(taken) < size:
            raise MalformedError
        self.at += size
        return taken


def _type_of(wanted: Any) -> int:
    if isinstance(wanted, int):
        return wanted
    return _LIST if isinstance(wanted, list) else _STRUCT
