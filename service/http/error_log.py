"""Log errors of our own without a word of what was being worked on."""

import logging
import traceback

_log = logging.getLogger("bentoml.serve")


def log_without_values(route: str, error: BaseException) -> None:
    """Log where an error arose but not its message, which may quote a student's value."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    _log.error("%s failed with %s\n%s", route, type(error).__qualname__, frames)
