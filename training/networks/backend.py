"""Import Keras on TensorFlow, without the notices that TensorFlow's C++ prints while it loads.

Every module that needs Keras takes it from here; modules that do not stay quick to import.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from records.usage_reports import switch_off_usage_reports

_STDERR = 2
_PREAMBLE = "WARNING: All log messages before absl::InitializeLog()"


def is_notice(line: str) -> bool:
    """Tell whether a line of TensorFlow's start-up output is information, not a complaint."""
    return line.startswith(_PREAMBLE) or (line[:1] in {"I", "W"} and line[1:5].isdigit())


@contextmanager
def without_notices() -> Iterator[None]:
    """Hold back what is written to file descriptor 2, then pass on all but notices.

    The notices come before any log level is read, so only the descriptor can hold them back.
    """
    sys.stderr.flush()
    original = os.dup(_STDERR)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), _STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(original, _STDERR)
            os.close(original)
            held.seek(0)
            lines = held.read().decode(errors="replace").splitlines(keepends=True)
            sys.stderr.writelines(line for line in lines if not is_notice(line))


switch_off_usage_reports()
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
# On a machine without a GPU even the lookup of one is logged as an error: fatal ones only. What
# goes wrong in a computation is raised as a Python exception at any level.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

with without_notices():
    import keras
    import tensorflow as tf

# Python's side of it, such as advice on retracing when a process runs many networks.
tf.get_logger().setLevel("ERROR")

__all__ = ["keras", "tf"]
