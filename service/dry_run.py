"""Load, warm up and answer once in a process of its own, before any worker starts.

A worker that cannot load its model is started again and again; this says once why, and stops. A
process of its own leaves no model, and on a GPU no context, in the one that supervises the workers.
"""

import subprocess
import sys
from pathlib import Path

from records.errors import BellwetherError
from service.responder import Responder
from service.settings import Settings

_ROOT = Path(__file__).resolve().parent.parent


class DryRunError(BellwetherError):
    """The service could not answer; the message says why."""


def dry_run(folder: Path) -> str:
    """Let a process of its own load the bundle at `folder` under the settings of this one.

    Returns:
        The digest of the bundle that answered.

    Raises:
        DryRunError: It could not load it, warm it up or answer.
    """
    command = [sys.executable, "-m", "service.dry_run", str(folder)]
    done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=False)  # noqa: S603 - our own module
    if done.returncode:
        said = done.stdout.strip() or f"it ended with exit code {done.returncode}"
        raise DryRunError(f"The service cannot start: {said}")
    return done.stdout.strip()


def _main() -> int:
    try:
        responder = Responder(Path(sys.argv[1]), Settings.from_environment())
        sys.stdout.write(responder.info.digest)
    except BellwetherError as error:
        sys.stdout.write(str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the workers would meet it too
        sys.stdout.write(f"{type(error).__name__}: {error}")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(_main())
