"""Switch off the usage reports that libraries send to their makers.

Students' data is sensitive: no process of Bellwether opens a connection that its configuration
does not name. Each switch is an environment variable, so it also reaches the processes that this
one starts. ONNX Runtime reads its switch while it is imported; therefore every module takes it
from `scoring.runtime.onnx_runtime`, which comes here first. TensorFlow, Keras and Optuna send no
reports. `tests/security/test_outgoing_connections.py` counts connections.
"""

import os

# An operator who sets a variable to another value has made a choice, which stays.
SWITCHES = {
    "ORT_DISABLE_TELEMETRY": "1",  # ONNX Runtime from 1.29 on
    "BENTOML_DO_NOT_TRACK": "True",  # BentoML's command line and server
    "RAY_USAGE_STATS_ENABLED": "0",  # Ray, where it is installed
}


def switch_off_usage_reports() -> None:
    """Set every switch that is unset or empty, for this process and those that it starts."""
    for name, value in SWITCHES.items():
        if not os.environ.get(name):
            os.environ[name] = value
