"""Limit the memory of bodies that are still arriving, over all connections of a worker.

One body is bounded by its format, but nothing bounds how many connections send one, and a slow
sender takes half a minute or longer. What counts is what has come, not what a head declares, so
that connections which send nothing hold nothing. A body that is complete leaves: from there on
admission bounds what waits (`service.batching.admission`).
"""

# What a piece takes besides its bytes, or senders of few bytes at a time would fill many times as
# much memory as is counted.
_PIECE_BYTES = 64


class BodyBudget:
    """The bytes of bodies that may be arriving at once; for one event loop.

    Args:
        limit: Most bytes, each piece of a body counted with 64 more.

    Attributes:
        limit: As given.
        held: Bytes that are counted now.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    def take(self, size: int) -> bool:
        """Count `size` bytes more; return whether there was room, else nothing is counted."""
        if self.held + size > self.limit:
            return False
        self.held += size
        return True

    def give_back(self, size: int) -> None:
        """Count `size` bytes less, which `take` had counted."""
        self.held -= size


class PartialBody:
    """A body that arrives in pieces: kept while the budget has room, else only counted.

    The receiver calls `whole` or `drop` in the end, in every case; both may be repeated.

    Args:
        budget: Has room for it or not.

    Attributes:
        size: Bytes that have come, kept or not.
        is_kept: Whether they are there; if not, they never will be.
    """

    __slots__ = ("_budget", "_counted", "_pieces", "is_kept", "size")

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self._counted = 0
        self._pieces: list[bytes] = []
        self.is_kept = True
        self.size = 0

    def add(self, piece: bytes, *, last: bool = False) -> None:
        """Add a piece; without room for it, release everything.

        Args:
            piece: Bytes behind those that have come before.
            last: Whether the body is complete with them. Then they need no room, since they are
                handed on at once: a body in one piece is never refused.
        """
        self.size += len(piece)
        if not self.is_kept or not piece:
            return
        cost = len(piece) + _PIECE_BYTES
        if not last and self._budget.take(cost):
            self._counted += cost
        elif not last:
            self.drop()
            return
        self._pieces.append(piece)

    def drop(self) -> None:
        """Release what has arrived, and discard what follows."""
        self.is_kept = False
        self._let_go()

    def whole(self) -> bytes:
        """Return the whole body and release it."""
        pieces = self._let_go()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _let_go(self) -> list[bytes]:
        pieces, self._pieces = self._pieces, []
        self._budget.give_back(self._counted)
        self._counted = 0
        return pieces
