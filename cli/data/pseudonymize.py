"""`bellwether pseudonymize`: replace ids by keyed pseudonyms, and leave out what names persons."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import console, errors
from cli.options import Overwrite
from records.errors import CohortError

if TYPE_CHECKING:
    import pyarrow as pa

    from records.identity.personal import Personal
    from records.tables.codecs.base import Batch

_IDS = ("id", "student")
# Values looked at before anything is written.
_SAMPLE = 5_000


def pseudonymize(
    table: Annotated[Path, typer.Argument(help="Table with a column `id`, and maybe `student`.")],
    out: Annotated[Path, typer.Option(help="Table to write: .csv, .parquet or .arrow.")],
    key: Annotated[Path, typer.Option(help="File of the key; kept apart from the table.")],
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Make the key first; refused where there is one.")
    ] = False,
    drop: Annotated[
        bool, typer.Option("--drop", help="Leave out columns that look as if they named persons.")
    ] = False,
    keep: Annotated[
        str, typer.Option(help="Columns to keep although they look so, by commas.")
    ] = "",
    overwrite: Overwrite = False,
) -> None:
    """Replace ids by keyed pseudonyms (HMAC): the same id and key give the same pseudonym.

    Columns that look like names, e-mail addresses, contact details, dates of birth or student
    numbers are refused, or left out with --drop.
    """
    from records.identity.pseudonyms import make_key, read_key
    from records.tables.formats import open_table

    if out.exists() and not overwrite:
        raise CohortError(f"{out} exists; choose another name, or pass --overwrite.")
    if out.exists() and out.samefile(table):
        raise CohortError(f"{out} is the table that is read; write to another file.")
    if new_key:
        make_key(key)
    secret = read_key(key, apart_from=out)
    found = _suspects(open_table(table, _with_ids).batches, set(keep.split(",")))
    if found and not drop:
        listed = "\n".join(f"  {name}: looks like {kind}" for name, kind in found.items())
        raise CohortError(
            f"{table.name} has columns that name persons:\n{listed}\nPass --drop to leave them out, "
            "or --keep NAME,NAME for those that do not."
        )
    rows = _write(open_table(table, _with_ids).batches, out, secret, set(found))
    for name, kind in found.items():
        errors.print(f"Left out: {name} ({kind}).")
    console.print(f"Wrote {rows:,} rows to {out}. Without {key} no id can be found again.")


def _with_ids(schema: "pa.Schema") -> list[str]:
    if "id" not in schema.names:
        raise CohortError("the table has no column `id`; its columns name what a row belongs to.")
    return list(schema.names)


def _suspects(batches: "Iterable[Batch]", keep: set[str]) -> "dict[str, Personal]":
    """Return the columns, other than ids, that look as if they named persons."""
    from records.identity.personal import personal_header, personal_values

    values: dict[str, list[str]] = {}
    for batch in batches:
        for name in batch.columns.schema.names:
            sample = values.setdefault(name, [])
            if len(sample) < _SAMPLE:
                sample += [
                    str(cell) for cell in batch.columns[name].to_pylist() if cell is not None
                ]
    found = {}
    for name, sample in values.items():
        kind = personal_header(name) or personal_values(sample[:_SAMPLE])
        if name not in _IDS and name not in keep and kind is not None:
            found[name] = kind
    return found


def _write(batches: "Iterable[Batch]", out: Path, key: bytes, left_out: set[str]) -> int:
    from records.tables.codecs.base import without_misfits
    from records.tables.writing import write_batches

    rows = 0

    def changed() -> "Iterator[pa.RecordBatch]":
        nonlocal rows
        for batch in without_misfits(iter(batches)):
            rows += batch.num_rows
            yield _replaced(batch, key, left_out)

    write_batches(changed(), out)
    return rows


def _replaced(batch: "pa.RecordBatch", key: bytes, left_out: set[str]) -> "pa.RecordBatch":
    import pyarrow as pa

    from records.identity.pseudonyms import pseudonyms

    columns = {}
    for name in batch.schema.names:
        if name in left_out:
            continue
        column = batch[name]
        if name in _IDS:
            texts = ["" if cell is None else str(cell) for cell in column.to_pylist()]
            column = pa.array(pseudonyms(texts, key), pa.string())
        columns[name] = column
    return pa.RecordBatch.from_pydict(columns)
