"""Feature groups: which features are explained together.

`group` of the contract names a feature's group. Without it an actionable feature is a group by
itself, under its own label; a relative feature goes with the feature that it compares; all others
together are the background, which is shown as one number.
"""

from dataclasses import dataclass
from typing import Final

from records.contract import Contract, Feature

BACKGROUND: Final = "Background"


@dataclass(frozen=True)
class FeatureGroup:
    """Features that are explained together.

    Attributes:
        label: Plain words for screens.
        columns: Positions of its features in the contract, ascending.
    """

    label: str
    columns: tuple[int, ...]


def feature_groups(contract: Contract) -> tuple[FeatureGroup, ...]:
    """Divide a contract's features into groups, in the order in which they first occur."""
    columns: dict[str, list[int]] = {}
    for column, feature in enumerate(contract.features):
        columns.setdefault(group_label(contract, feature), []).append(column)
    return tuple(FeatureGroup(label, tuple(found)) for label, found in columns.items())


def group_label(contract: Contract, feature: Feature) -> str:
    """Return the label of a feature's group."""
    if feature.group is not None:
        return feature.group
    if feature.relative is not None:
        return group_label(contract, contract.feature(feature.relative.of))
    return feature.label if feature.actionable else BACKGROUND
