"""A folder for the counters of this service and this start alone.

Workers keep their counters in files, which `/metrics` adds up. BentoML keeps them in its home
folder and empties that at every start, also while another service is counting there.
"""

import atexit
import os
import shutil
import tempfile

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def make_metrics_folder() -> str:
    """Make a folder that is removed when this process ends, which starts the workers."""
    folder, owner = tempfile.mkdtemp(prefix="bellwether-metrics-"), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder


def use_metrics_folder(folder: str) -> None:
    """Have this worker count there; before it makes its first counter."""
    if _VARIABLE in os.environ:
        os.environ[_VARIABLE] = folder
