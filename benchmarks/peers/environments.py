"""An environment of its own for each peer, from its hash-locked requirements."""

import shutil
import subprocess
import sys

from benchmarks.peers.contenders import ENVIRONMENTS, FOLDER, Contender
from records.errors import BellwetherError


class PeerError(BellwetherError):
    """A peer cannot take part; the message names the reason."""


def prepare(peer: Contender) -> None:
    """Make the peer's environment, unless it is there and its requirements have not changed.

    Raises:
        PeerError: The installation failed.
    """
    requirements = FOLDER / peer.key / "requirements.txt"
    environment = ENVIRONMENTS / peer.key
    stamp = environment / "installed.txt"
    wanted = requirements.read_text(encoding="utf-8")
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return
    shutil.rmtree(environment, ignore_errors=True)
    _run(peer, [sys.executable, "-m", "venv", str(environment)])
    pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    _run(peer, [*pip, "--disable-pip-version-check", "--require-hashes", "-r", str(requirements)])
    stamp.write_text(wanted, encoding="utf-8")


def _run(peer: Contender, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        reason = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise PeerError(
            f"{peer.title} cannot be installed: {(' '.join(reason) or done.stderr)[-400:]}"
        )
