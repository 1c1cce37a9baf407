"""Load the bundle, warm it up and score once in a separate process, before any worker starts.

A worker that cannot load its model would be restarted for ever; the dry run fails once, with the
reason. A separate process leaves no model, and on a GPU no context, in the supervisor.
"""

import subprocess
import sys
from pathlib import Path

from records.errors import BellwetherError
from service.responder import Responder
from service.settings import Settings

_ROOT = Path(__file__).resolve().parent.parent


class DryRunError(BellwetherError):
    """The service cannot start; the message gives the reason."""


def dry_run(folder: Path) -> str:
    """Load the bundle at `folder` in a separate process, under the settings of this one.

    Returns:
        The digest of the loaded bundle.

    Raises:
        DryRunError: The bundle could not be loaded, warmed up or used.
    """
    command = [sys.executable, "-m", "service.dry_run", str(folder)]
    done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own module
    if done.returncode:
        reason = done.stdout.strip() or f"it ended with exit code {done.returncode}"
        raise DryRunError(f"The service cannot start: {reason}")
    return done.stdout.strip()


def _main() -> int:
    try:
        responder = Responder(Path(sys.argv[1]), Settings.from_environment())
        sys.stdout.write(responder.info.digest)
    except BellwetherError as error:
        sys.stdout.write(str(error))
    except Exception as error:  # noqa: BLE001 - the workers would fail in the same way
        sys.stdout.write(f"{type(error).__name__}: {error}")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(_main())
