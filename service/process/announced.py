"""The bundle that the service was started with: every worker answers from it, or does not start.

Workers are replaced while the service runs. In the meantime another bundle may have come to the
same folder, or to the tag `latest`. Two versions of a model would then answer behind one port. So
the process that starts the workers announces the bundle that it has tried, and a worker that loads
another one refuses to start.
"""

import json
import os
from dataclasses import asdict, dataclass

from records.errors import BellwetherError
from service.process import inherited_memory

_MEMORY = "BELLWETHER_INTERNAL_BUNDLE", "bellwether-bundle"
# A path may be 4,096 bytes long.
_SIZE = 8192


class AnnouncedError(BellwetherError):
    """The bundle on disk is no longer the one that the service was started with."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What the service was started with.

    Attributes:
        folder: The bundle's folder.
        digest: SHA-256 of its manifest.
        metrics: Folder of the workers' counters (`service.observability.metrics_folder`).
    """

    folder: str
    digest: str
    metrics: str


def prepare() -> None:
    """Make room for the announcement, before the workers start."""
    inherited_memory.create(*_MEMORY, bytes(_SIZE))


def announce(started: Announced) -> None:
    """Publish to the workers, which start later, what they are to answer from."""
    descriptor = inherited_memory.find(*_MEMORY)
    content = json.dumps(asdict(started)).encode()
    if descriptor is not None and len(content) <= _SIZE:
        os.pwrite(descriptor, content.ljust(_SIZE, b"\0"), 0)


def announced() -> Announced | None:
    """Return what was announced; None where this process was started by itself."""
    descriptor = inherited_memory.find(*_MEMORY)
    content = b"" if descriptor is None else os.pread(descriptor, _SIZE, 0).rstrip(b"\0")
    return Announced(**json.loads(content)) if content else None


def check(digest: str) -> None:
    """Check that a worker has loaded what was announced.

    Args:
        digest: Of the bundle that this process has loaded.

    Raises:
        AnnouncedError: It was another bundle.
    """
    expected = announced()
    if expected is not None and expected.digest != digest:
        raise AnnouncedError(
            f"{expected.folder} now holds the bundle {digest[:12]}, but the service was started "
            f"with {expected.digest[:12]}. Restart the service to answer from the new one, or put "
            "the former bundle back."
        )
