"""Check the columns of a table against its contract."""

import re
from collections.abc import Sequence

import pyarrow as pa

from records.contract import RESERVED, Contract
from records.errors import Fault, TableError
from records.suggest import similar_name
from records.tables.cells import CellReader

_PANDAS_INDEX = ("", "__index_level_0__", "Unnamed: 0")
_PER_PERIOD = re.compile(r"^(?P<name>.+?)[ _-]?\d+$")


def select_columns(reader: CellReader, schema: pa.Schema, *, every_feature: bool) -> list[str]:
    """Return the columns of a table, in its order.

    Args:
        reader: Knows the contract.
        schema: Of the table.
        every_feature: Whether each feature needs a column, as training does; relative features,
            which are computed where they are missing, need none.

    Raises:
        TableError: Duplicate, unknown or missing columns, or columns of a type that does not fit.
    """
    contract, names = reader.contract, list(schema.names)
    known = known_columns(contract)
    if not set(known) & {name.lower() for name in names}:
        message = (
            "None of the contract's columns is here; is the header missing? Expected "
            f"{', '.join(known)}."
        )
        raise TableError.whole(None, "missing_header", message)
    faults = [
        Fault(None, _shown(name), "duplicate_field", "The column occurs twice; rename or drop one.")
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    faults += [
        Fault(None, _shown(name), "unknown_field", _unknown(name, contract, known))
        for name in names
        if name not in known
    ]
    faults += [
        Fault(None, name, "missing_field", message)
        for name, message in _required(contract, every_feature)
        if name not in names
    ]
    if not faults:
        types = reader.check_types(schema, [name for name in names if name in known])
        faults = [Fault(None, name, "wrong_type", message) for name, message in types]
    if faults:
        raise TableError(faults)
    return names


def known_columns(contract: Contract) -> list[str]:
    """Return every column that a table of the contract may have."""
    names = ["id", "period", *contract.feature_names, *RESERVED, *contract.targets.score.columns]
    return list(dict.fromkeys([*names, *(attribute.name for attribute in contract.audit)]))


def _required(contract: Contract, every_feature: bool) -> list[tuple[str, str]]:
    required = [(name, "The column is missing; every row needs it.") for name in ("id", "period")]
    if every_feature:
        message = "The column is missing; every row needs it (cells may be empty)."
        required += [(it.name, message) for it in contract.features if not it.relative]
    return required


def _unknown(name: str, contract: Contract, known: Sequence[str]) -> str:
    if name in _PANDAS_INDEX:
        return "The column is the index that pandas writes; drop it or write with index=False."
    stem = _PER_PERIOD.match(name)
    if stem and stem["name"] in contract.feature_names:
        return (
            f"A table has one row for each period: write `{stem['name']}` as one column, and a row "
            f"for each {contract.periods.name}."
        )
    near = similar_name(name.lower(), known)
    advice = f"did you mean `{near}`?" if near else "drop it or add it to the contract."
    return f"The contract '{contract.name}' has no such column; {advice}"


def _shown(name: str) -> str:
    """Return a name as it may be shown: printable ASCII, at most 64 characters."""
    shown = name[:64].encode("ascii", "backslashreplace").decode()
    return "".join(char if char.isprintable() else "?" for char in shown) + "…" * (len(name) > 64)
