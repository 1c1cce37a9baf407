"""Find a folder that BentoML can write to, before it is imported: it fails with a traceback.

A container with a read-only root, or a user without a home folder, has none unless BENTOML_HOME
names one.
"""

import os
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

from records.errors import BellwetherError

VARIABLE = "BENTOML_HOME"


class HomeError(BellwetherError):
    """There is no folder that BentoML could write to; the message says what to set."""


def choose_home(environment: MutableMapping[str, str]) -> None:
    """Set BENTOML_HOME where it is unset and the user's home folder cannot be written to.

    Raises:
        HomeError: BENTOML_HOME cannot be written to, or there is no temporary folder either.
    """
    if chosen := environment.get(VARIABLE):
        if not _is_writable(Path(chosen)):
            raise HomeError(
                f"{VARIABLE} is {chosen}, which cannot be written to; set it to a folder that can, "
                "such as a tmpfs or an emptyDir volume."
            )
        return
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - `~` itself where the user has none
    if home.is_absolute() and _is_writable(home / "bentoml"):
        return
    environment[VARIABLE] = str(_temporary())


def _temporary() -> Path:
    try:
        folder = Path(tempfile.gettempdir()) / f"bellwether-{os.getuid()}"
        folder.mkdir(mode=0o700, exist_ok=True)
        state = folder.lstat()
        # In a folder that others write to, too, it could be theirs.
        if folder.is_symlink() or state.st_uid != os.getuid() or state.st_mode & 0o077:
            folder = Path(tempfile.mkdtemp(prefix="bellwether-"))
    except OSError:
        raise HomeError(
            f"No folder can be written to. Set {VARIABLE} and TMPDIR to folders that can, such as "
            "a tmpfs or emptyDir volumes."
        ) from None
    return folder


def _is_writable(folder: Path) -> bool:
    """Return whether files can be made in `folder`, or in its nearest ancestor that exists."""
    while not folder.exists():
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK, effective_ids=True)
