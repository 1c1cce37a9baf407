"""What a run was made with."""

import platform
from importlib import metadata

_LIBRARIES = ("bellwether", "tensorflow", "keras", "numpy", "pandas", "scikit-learn")


def environment() -> dict[str, str]:
    """Return Python's and the libraries' versions, and the kind of machine."""
    versions = {name: metadata.version(name) for name in _LIBRARIES}
    return {"python": platform.python_version(), "machine": platform.machine(), **versions}
