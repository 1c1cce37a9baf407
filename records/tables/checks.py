"""Check a table against its contract: the header first, then every cell.

Header -> `check_header`; cells -> the pandera schema of `table_schema`, validated lazily so that
every fault is found and not only the first. The order of rows is `table_assembly`'s business.
"""

import difflib
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pandera.pandas as pandera
import pyarrow as pa

from records.contract import RESERVED, Contract, Feature, Kind
from records.errors import CohortError, Fault, RecordError
from records.tables.cells import CellFaults, Cells, expected_period, observed_of


def check_header(header: Sequence[str], contract: Contract, file: str) -> None:
    """Refuse a header that is not the contract's.

    Raises:
        CohortError: No name is known: wrong separator, or no header at all.
        RecordError: Duplicate, unknown or missing columns.
    """
    required = ["id", "period", *contract.feature_names]
    # Relative features are computed where they are missing.
    computed = {feature.name for feature in contract.features if feature.relative}
    known = dict.fromkeys(
        [*required, *RESERVED, *contract.targets.score.columns]
        + [attribute.name for attribute in contract.audit]
    )
    if not known.keys() & {name.lower() for name in header}:
        raise CohortError(_nothing_known(header, list(known), file))
    line = None if file.endswith(".parquet") else 1

    def fault(column: str, code: str, message: str) -> Fault:
        return Fault(line, column, code, message)

    faults = [
        fault(name, "duplicate_column", "the name occurs twice; rename or drop one.")
        for name in dict.fromkeys(header)
        if header.count(name) > 1
    ]
    for name in header:
        if name in ("", "__index_level_0__"):
            message = "is the index that pandas writes; drop it or write with index=False."
            faults.append(fault(name, "unknown_column", message))
        elif name not in known:
            near = difflib.get_close_matches(name.lower(), known, n=1)
            advice = f"did you mean '{near[0]}'?" if near else "drop it or add it to the contract."
            message = f"is no column of the contract '{contract.name}'; {advice}"
            faults.append(fault(name, "unknown_column", message))
    faults += [
        fault(name, "missing_column", "is missing; every row needs it (cells may be empty).")
        if name not in ("id", "period")
        else fault(name, "missing_column", "is missing; every row needs it.")
        for name in required
        if name not in header and name not in computed
    ]
    if faults:
        raise RecordError(faults, file)


def _nothing_known(header: Sequence[str], known: Sequence[str], file: str) -> str:
    """Without naming what was found: where a header is missing, row 1 is a student."""
    for separator, word in ((";", "semicolons"), ("\t", "tabs"), ("|", "vertical bars")):
        names = {name.strip().strip('"') for cell in header for name in cell.split(separator)}
        if names & set(known):
            return f"{file}:1: the columns are separated by {word}; save the file with commas."
    return (
        f"{file}:1: none of the contract's columns is here; is the header missing? "
        f"Expected {', '.join(known)}."
    )


def table_schema(contract: Contract) -> pandera.DataFrameSchema:
    """Build the schema of the cells once read: what each may hold."""
    score = contract.targets.score
    columns: dict[str, list[pandera.Check]] = {"id": [], "period": [_whole_period(contract)]}
    for feature in contract.features:
        columns[feature.name] = _feature_checks(feature)
    for name in score.columns:
        columns[name] = [_finite(), _range(score.minimum, score.maximum)]
    return pandera.DataFrameSchema(
        {
            name: pandera.Column(checks=checks, nullable=name not in ("id", "period"))
            for name, checks in columns.items()
        },
        checks=[
            pandera.Check(
                lambda frame: ~frame["_unobserved_but_filled"],
                name="not_observed",
                error="a row with observed = false must have no feature values and eligible = "
                "false; it stands for a period that was not observed.",
            )
        ],
    )


def check_cells(
    cells: Cells, schema: pandera.DataFrameSchema, contract: Contract
) -> list[CellFaults]:
    """Find every cell that says what it may not, whatever `read_cells` found before."""
    observed = observed_of(cells)
    filled = ~np.isnan(cells.features).all(axis=1)
    if "eligible" in cells.flags:
        filled |= cells.flags["eligible"] == 1
    frame = pd.DataFrame(
        {
            "id": pd.Series(cells.ids, dtype=pd.ArrowDtype(pa.string())),
            "period": cells.period,
            **dict(zip(contract.feature_names, cells.features.T, strict=True)),
            **dict(zip(contract.targets.score.columns, cells.score.T, strict=True)),
            "_unobserved_but_filled": ~observed & filled,
        },
        copy=False,
    )
    try:
        schema.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        return [_fault(error) for error in errors.schema_errors]
    return []


def _fault(error: pandera.errors.SchemaError) -> CellFaults:
    positions = np.unique(np.asarray(error.failure_cases["index"], np.intp))
    if isinstance(error.check, pandera.Check):
        column = error.schema.name if isinstance(error.schema, pandera.Column) else None
        return CellFaults(positions, column, str(error.check.name), str(error.check.error))
    return CellFaults(positions, error.schema.name, "missing_value", "must not be empty.")


def _feature_checks(feature: Feature) -> list[pandera.Check]:
    if feature.kind is not Kind.NUMERIC:
        return []  # read from words, so it is a position of a level or nothing
    return [_finite(), _range(feature.lower_bound, feature.upper_bound, feature.expected)]


def _finite() -> pandera.Check:
    return pandera.Check(np.isfinite, name="not_finite", error="expected a finite number.")


def _range(lower: float, upper: float, expected: str | None = None) -> pandera.Check:
    # In float32 like the values: the nearest number to a bound must not fall outside of it.
    low, high = np.float32(lower), np.float32(upper)
    return pandera.Check(
        lambda values: (values >= low) & (values <= high),
        name="out_of_range",
        error=f"expected {expected or f'a number from {lower:g} to {upper:g}'}.",
    )


def _whole_period(contract: Contract) -> pandera.Check:
    return pandera.Check(
        lambda period: (period >= 1) & (period <= contract.periods.maximum) & (period % 1 == 0),
        name="out_of_range",
        error=expected_period(contract),
    )
