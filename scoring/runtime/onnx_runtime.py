"""Import ONNX Runtime with its usage reports switched off.

It decides once, while it is imported, whether to send reports and to write a device identifier into
the user's cache folder. Every module takes it from here; an import rule holds that.
"""

from records.usage_reports import switch_off_usage_reports

switch_off_usage_reports()

import onnxruntime  # noqa: E402 - after the switch
from onnxruntime.capi import onnxruntime_pybind11_state as runtime_state  # noqa: E402

__all__ = ["onnxruntime", "runtime_state"]
