"""Keep BentoML's running process from reporting its usage.

`bentoml serve` reads its switch, and remembers the answer, before it imports a service.
"""

from bentoml._internal.utils.analytics import usage_stats

from records import usage_reports


def switch_off_usage_reports() -> None:
    """Set the switches of all libraries, and have BentoML read its own again."""
    usage_reports.switch_off_usage_reports()
    usage_stats.do_not_track.cache_clear()
