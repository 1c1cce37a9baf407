"""The type of a student in JSON, built from a contract."""

import math
from typing import Annotated, Any, Literal

import msgspec

from records.contract import Contract, Feature, Kind
from records.tables.layout import number_limits
from records.wording import ID_LENGTH


def student_type_of(contract: Contract) -> type[msgspec.Struct]:
    """Build the struct of one student; msgspec then decodes and checks in compiled code."""
    maximum = contract.periods.maximum
    columns = [
        (feature.name, _type_of(feature), _ABSENT[bool(feature.levels)])
        for feature in contract.features
    ]
    # Cells hold no reference to other objects, so the cyclic collector need not look at them.
    period_type = msgspec.defstruct(
        "Period",
        [("period", Annotated[int, msgspec.Meta(ge=1, le=maximum)]), *columns],
        forbid_unknown_fields=True,
        frozen=True,
        gc=False,
    )
    periods = Annotated[list[period_type], msgspec.Meta(min_length=1, max_length=maximum)]  # type: ignore[valid-type]
    return msgspec.defstruct(
        "Student",
        [
            ("id", Annotated[str, msgspec.Meta(min_length=1, max_length=ID_LENGTH)]),
            ("periods", periods),
        ],
        forbid_unknown_fields=True,
        frozen=True,
        gc=False,
    )


# NaN needs no conversion; a missing level is looked up like a level.
_ABSENT: dict[bool, float | None] = {False: math.nan, True: None}


def _type_of(feature: Feature) -> Any:
    if feature.levels:
        return Literal[feature.levels] | None
    if feature.kind is Kind.FLAG:
        return bool | None
    lower, upper = number_limits(feature)  # Limits on both sides also refuse NaN.
    return Annotated[float, msgspec.Meta(ge=lower, le=upper)] | None
