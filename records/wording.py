"""The wording of faults: one for JSON and tables, for commands and the service."""

from records.contract import Contract, Feature

# Characters of an id.
ID_LENGTH = 128
DUPLICATE_PERIOD = "The period occurs twice; send each period once."
UNORDERED_PERIODS = (
    "The period comes before an earlier one; sort a student's periods, earliest first."
)
ID_CHARACTERS = f"`id` must have 1 to {ID_LENGTH} characters."


BLANK_ID = "`id` must hold a visible character."
# What stands for a missing value in JSON and in tables.
OR_MISSING = "or missing (null, or an empty cell)."


def value_expected(feature: Feature) -> str:
    """Describe what a feature's value must be."""
    return f"{feature.label} must be {feature.expected}, {OR_MISSING}"


def period_expected(contract: Contract) -> str:
    """Describe what a period must be."""
    return f"`period` must be a whole number from 1 to {contract.periods.maximum}."
