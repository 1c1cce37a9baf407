"""What relative features are compared with, as a bundle, a file or a request carries it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from records.arrays import Doubles
from records.cohort import Cohort
from records.contract import Contract
from records.errors import CohortError
from records.learnt.relative import Moments, RelativeLayout, learn_moments


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GroupReference(_Frozen):
    """What one feature of one group was like, period by period from the first.

    Attributes:
        cohort: The intake that it was learnt from.
        count: (periods) values; periods beyond the end are not known.
        mean: (periods) raw units; None where nothing counted.
        spread: (periods) standard deviation, raw units; None where nothing counted.
    """

    cohort: str = ""
    count: tuple[Annotated[int, Field(ge=0)], ...]
    mean: tuple[FiniteFloat | None, ...]
    spread: tuple[Annotated[FiniteFloat, Field(ge=0)] | None, ...]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not len(self.count) == len(self.mean) == len(self.spread):
            raise ValueError("count, mean and spread must be of the same periods")
        for count, *figures in zip(self.count, self.mean, self.spread, strict=True):
            if count and None in figures:
                raise ValueError("where something counted there must be mean and spread")
        return self


class RelativeReference(_Frozen):
    """What students are compared with, by relative feature and group; as a file or a request's.

    Attributes:
        contract: Name of the contract that it is made for.
        features: Relative feature -> group -> what it was like. The group is a level of the
            feature that groups go by, or 'all'.
    """

    contract: str
    features: Mapping[str, Mapping[str, GroupReference]]

    def only(self, group: str) -> Self:
        """Leave the other groups out."""
        kept = {
            name: {one: found for one, found in groups.items() if one == group}
            for name, groups in self.features.items()
        }
        return self.model_copy(update={"features": kept})

    def moments(self, layout: RelativeLayout) -> Moments:
        """Lay it out as arrays.

        Raises:
            CohortError: A feature, group or period that the contract does not have.
        """
        moments = Moments.none(layout)
        mean, spread = moments.mean.copy(), moments.spread.copy()
        for name, groups in self.features.items():
            if name not in layout.names:
                known = ", ".join(layout.names)
                raise CohortError(f"'{name}' is no relative feature of the contract ({known}).")
            at = layout.names.index(name)
            for group, one in groups.items():
                if group not in layout.groups[at]:
                    known = ", ".join(layout.groups[at])
                    raise CohortError(f"'{group}' is no group that '{name}' has ({known}).")
                length = len(one.count)
                if length > layout.periods:
                    raise CohortError(
                        f"'{name}' of '{group}' has {length} periods, the contract "
                        f"{layout.periods}."
                    )
                place = at, layout.groups[at].index(group), slice(length)
                moments.count[place] = one.count
                mean[place] = [figure or 0.0 for figure in one.mean]
                spread[place] = [figure or 0.0 for figure in one.spread]
        return replace(moments, mean=mean, spread=spread)


def learn_relatives(cohort: Cohort) -> RelativeReference | None:
    """Learn what students are compared with: of each group, the latest intake that is large enough.

    Returns:
        None where the contract has no relative feature.
    """
    layout = RelativeLayout.of(cohort.contract)
    if layout is None:
        return None
    features: dict[str, dict[str, GroupReference]] = {name: {} for name in layout.names}
    for name in np.unique(cohort.cohorts):
        part = cohort.take(cohort.cohorts == name)
        moments = learn_moments(layout, part.values, part.eligible)
        most = moments.count.max(axis=2)
        for at, group in np.argwhere(most >= layout.fewest[:, None]):
            features[layout.names[at]][layout.groups[at][group]] = _group(moments, at, group, name)
    return RelativeReference(contract=cohort.contract.name, features=features)


def moments_reference(contract: Contract, moments: Moments) -> RelativeReference:
    """Put moments into a reference, groups of which nothing counted left out."""
    layout = moments.layout
    features: dict[str, dict[str, GroupReference]] = {name: {} for name in layout.names}
    for at, group in np.argwhere(moments.count.any(axis=2)):
        features[layout.names[at]][layout.groups[at][group]] = _group(moments, at, group, "")
    return RelativeReference(contract=contract.name, features=features)


def parse_reference(content: object, layout: RelativeLayout) -> RelativeReference:
    """Check a reference as JSON carries it, against the contract's layout.

    Args:
        content: JSON text, or the objects that it holds.
        layout: What the contract compares.

    Raises:
        CohortError: It is none, or does not fit; the message names the place and quotes no number.
    """
    try:
        if isinstance(content, str | bytes):
            reference = RelativeReference.model_validate_json(content)
        else:
            reference = RelativeReference.model_validate(content)
    except ValidationError as error:
        fault = error.errors(include_input=False, include_url=False, include_context=False)[0]
        place = ".".join(map(str, fault["loc"]))[:200] or "as a whole"
        raise CohortError(f"no reference: {place}: {fault['msg']}.") from None
    reference.moments(layout)
    return reference


def read_reference(path: Path, contract: Contract) -> RelativeReference:
    """Read a reference from the file that `bellwether reference` wrote.

    Raises:
        CohortError: No such file, or it does not fit the contract.
    """
    layout = RelativeLayout.of(contract)
    if layout is None:
        raise CohortError(f"the contract '{contract.name}' has no relative feature to refer to.")
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise CohortError(f"{path}: no such file.") from None
    try:
        found = parse_reference(text, layout)
    except CohortError as error:
        raise CohortError(f"{path}: {error}") from None
    if found.contract != contract.name:
        raise CohortError(
            f"{path} was made for the contract '{found.contract}', not for '{contract.name}'."
        )
    return found


def _group(moments: Moments, at: int, group: int, cohort: str) -> GroupReference:
    count = moments.count[at, group]
    length = int(np.flatnonzero(count)[-1]) + 1
    known = count[:length] > 0

    def shown(figures: Doubles) -> tuple[float | None, ...]:
        cells = zip(figures[at, group, :length].tolist(), known, strict=True)
        return tuple(figure if there else None for figure, there in cells)

    return GroupReference(
        cohort=str(cohort),
        count=tuple(count[:length].tolist()),
        mean=shown(moments.mean),
        spread=shown(moments.spread),
    )
