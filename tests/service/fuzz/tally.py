"""What a run of hostile inputs has counted and found."""

import threading
from collections import Counter
from dataclasses import dataclass, field

# Kinds of findings. Each is a fault; a run without faults has none.
UNPLANNED, HANG, CROSSED, LEAK, CRASH, MEMORY = (
    "unplanned 5xx",
    "hang",
    "crossed answer",
    "leaked value",
    "crash",
    "memory",
)


@dataclass
class Tally:
    """Counts outcomes, and keeps the first inputs of each kind of finding.

    Attributes:
        outcomes: Part and outcome, such as ('bodies', '422') -> how often.
        findings: Kind -> descriptions, with what it takes to repeat them.
    """

    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    findings: dict[str, list[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, part: str, outcome: object) -> None:
        """Count one input."""
        with self._lock:
            self.outcomes[part, str(outcome)] += 1

    def find(self, kind: str, description: str) -> None:
        """Note a fault."""
        with self._lock:
            self.findings.setdefault(kind, []).append(description)

    def table(self) -> str:
        """Return the counts and the findings as text."""
        lines = [
            f"{part:<10} {outcome:<28} {number:>9,}"
            for (part, outcome), number in sorted(self.outcomes.items())
        ]
        for kind, found in self.findings.items():
            lines.append(f"{kind}: {len(found):,}")
            lines += [f"  {one[:400]}" for one in found[:5]]
        return "\n".join(lines) + "\n"
