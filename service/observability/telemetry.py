"""Keep BentoML from reporting its usage to its vendor, unless somebody has chosen so.

A service for students' records calls nobody. BENTOML_DO_NOT_TRACK=False brings the reports back.
"""

import os

from bentoml._internal.utils.analytics import usage_stats

_VARIABLE = usage_stats.BENTOML_DO_NOT_TRACK


def switch_off_usage_reports() -> None:
    """Set BentoML's own switch, also for the processes that it starts."""
    if _VARIABLE not in os.environ:
        os.environ[_VARIABLE] = "True"
        # `bentoml serve` has looked, and remembered, before it imports a service.
        usage_stats.do_not_track.cache_clear()
