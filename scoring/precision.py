"""Numeric precision that a graph computes in."""

from enum import StrEnum


class Precision(StrEnum):
    """A precision to request.

    `auto` is float32: the only one that is proven equal to Keras, and in which no record of a batch
    can change the scores of another. The others are used only on request.
    """

    AUTO = "auto"
    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"


# What an export can try beside float32, which every bundle holds.
VARIANTS = (Precision.FLOAT16, Precision.INT8)


def variant_file(graph_file: str, precision: Precision) -> str:
    """Name the file of a variant: `risk.onnx` in int8 is `risk.int8.onnx`."""
    stem, _, ending = graph_file.rpartition(".")
    return f"{stem}.{precision}.{ending}"
