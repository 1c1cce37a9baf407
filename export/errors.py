"""Say why a run was not exported."""

from records.errors import BellwetherError


class GateError(BellwetherError):
    """A graph does not match its specification, or does not compute what Keras computes.

    Args:
        message: What was expected, what was found and what to do; never a student's value.
        graph: Name of the graph.
        record: Position in the held-out part, counted from 0, where one record shows it.
        step: Period at which it shows, counted from 1.
        distance: How far from Keras, in the output's unit; inf where a number is missing.
    """

    def __init__(
        self,
        message: str,
        *,
        graph: str,
        record: int | None = None,
        step: int | None = None,
        distance: float | None = None,
    ) -> None:
        self.graph = graph
        self.record = record
        self.step = step
        self.distance = distance
        super().__init__(f"{graph}: {message}")


class FairnessError(BellwetherError):
    """A run serves groups more differently than is allowed; the message names the groups."""
