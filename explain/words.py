"""Put values into words: numbers with their units, levels by their names."""

from math import isnan
from typing import Literal

from records.contract import Better, Feature, Kind
from scoring.rounding import DECIMALS

# What a feature holds, as people read it; null where it is missing.
Shown = bool | int | float | str | None
Standing = Literal["better", "worse", "different"]


def shown(feature: Feature, value: float) -> Shown:
    """Return a value of an array as people read it."""
    if isnan(value):
        return None
    if feature.levels:
        return feature.levels[round(value)]
    if feature.kind is Kind.FLAG:
        return value >= 0.5
    number = round(float(value), DECIMALS) + 0.0
    return int(number) if number.is_integer() else number


def in_words(feature: Feature, value: float) -> str:
    """Write a value with its unit, in three or four significant digits."""
    found = shown(feature, value)
    if found is None:
        return "missing"
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, str):
        return found
    return number_in_words(found, feature.unit)


def number_in_words(number: float, unit: str) -> str:
    """Write a number with its unit."""
    size = abs(number)
    text = f"{number:,.0f}" if size >= 100 else f"{number:.1f}" if size >= 10 else f"{number:.2f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return f"{text} {unit}".rstrip() if text != "-0" else f"0 {unit}".rstrip()


def standing_of(feature: Feature, value: float, usual: float) -> Standing:
    """Say on which side of the usual value another one lies: better, worse, or only different."""
    if isnan(value) or isnan(usual) or feature.better is Better.NEITHER or value == usual:
        return "different"
    is_higher = value > usual
    return "better" if is_higher == (feature.better is Better.HIGHER) else "worse"
