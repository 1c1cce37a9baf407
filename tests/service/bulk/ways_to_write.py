"""One small table, written in every way that people and programs write tables."""

import gzip
import io
import zipfile
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

from records.tables.options import PLAIN, ReadOptions

HEADER = ["id", "period", "attendance", "assignments", "internal_marks", "quiz", "engagement"]
ROWS = [
    ["s1", "1", "80", "70.5", "60", "50", "5"],
    ["s1", "2", "81", "71.5", "61", "51", "6"],
    ["s2", "1", "90", "", "65", "55", "7"],
]


@dataclass(frozen=True)
class Way:
    """A way to write the table.

    Attributes:
        body: The file.
        same: Whether it is read as the plain table; else it is refused.
        options: How it is read.
        name: Of the file.
    """

    body: bytes
    same: bool = True
    options: ReadOptions = PLAIN
    name: str = "table.csv"


def lines(
    delimiter: str = ",", end: str = "\n", rows: list[list[str]] | None = None, **changes: str
) -> str:
    """The table as text; `changes` replace cells of the first row by column."""
    first = [changes.get(name, cell) for name, cell in zip(HEADER, ROWS[0], strict=True)]
    cells = [HEADER, first, *ROWS[1:]] if rows is None else rows
    return end.join(delimiter.join(row) for row in cells) + end


def _quoted() -> str:
    return lines(rows=[[f'"{cell}"' for cell in row] for row in [HEADER, *ROWS]])


def _mapped(old: str, new: str) -> str:
    cells = [[cell.replace(old, new) for cell in row] for row in ROWS]
    return lines(rows=[HEADER, *cells])


def workbook(rows: list[list[str]]) -> bytes:
    """An .xlsx file with one sheet; cells that look like numbers are numbers."""
    cells = []
    for number, row in enumerate(rows, start=1):
        written = []
        for at, cell in enumerate(row):
            place = f'r="{chr(65 + at)}{number}"'
            if cell.replace(".", "", 1).isdigit():
                written.append(f"<c {place}><v>{cell}</v></c>")
            elif cell:
                written.append(f'<c {place} t="inlineStr"><is><t>{cell}</t></is></c>')
        cells.append(f'<row r="{number}">{"".join(written)}</row>')
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    files = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/>'
        "</Types>",
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="rId1" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook {main} xmlns:r="{office}"><sheets>'
        '<sheet name="Marks" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="rId1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f"<worksheet {main}><sheetData>{''.join(cells)}</sheetData>"
        "</worksheet>",
    }
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return sink.getvalue()


_COMMA = ReadOptions(decimal=",")
_PLAIN = lines().encode()
_TITLE = "Marks of the spring term\nexported on Monday\n\n"

CSV: dict[str, Way] = {
    "plain": Way(_PLAIN),
    "byte order mark": Way(b"\xef\xbb\xbf" + _PLAIN),
    "utf-16": Way(lines().encode("utf-16")),
    "utf-16 big endian": Way(b"\xfe\xff" + lines().encode("utf-16-be")),
    "windows lines": Way(lines(end="\r\n").encode()),
    "old mac lines": Way(lines(end="\r").encode()),
    "no last line end": Way(lines().rstrip("\n").encode()),
    "blank lines": Way(lines(end="\n\n").encode()),
    "lines of blanks": Way(lines(end="\n   \n").encode()),
    "lines of commas": Way((lines() + ",,,,,,\n,,,,,,\n").encode()),
    "semicolons": Way(lines(";").encode()),
    "tabs": Way(lines("\t").encode()),
    "bars": Way(lines("|").encode()),
    "named delimiter": Way(lines("~").encode(), options=ReadOptions(delimiter="~")),
    "other delimiter": Way(lines("~").encode(), same=False),
    "all quoted": Way(_quoted().encode()),
    "blanks after commas": Way(lines(", ").encode()),
    "blanks before quotes": Way(_quoted().replace(",", ", ").encode()),
    "blanks in the header": Way(lines(rows=[[f" {name} " for name in HEADER], *ROWS]).encode()),
    "blanks around cells": Way(lines(quiz=" 50 ").encode()),
    "hard blanks in the header": Way(
        lines(rows=[[f"{name}\u00a0" for name in HEADER], *ROWS]).encode()
    ),
    "title above": Way((_TITLE + lines()).encode()),
    "title above, semicolons": Way((_TITLE + lines(";")).encode()),
    "trailing delimiters": Way(lines(rows=[[*row, ""] for row in [HEADER, *ROWS]]).encode()),
    "trailing delimiters in rows": Way(
        lines(rows=[HEADER, *([*row, ""] for row in ROWS)]).encode()
    ),
    "one cell too many": Way(lines(rows=[HEADER, [*ROWS[0], "9"], *ROWS[1:]]).encode(), same=False),
    "one cell too few": Way(lines(rows=[HEADER, ROWS[0][:-1], *ROWS[1:]]).encode(), same=False),
    "no header": Way(lines(rows=ROWS).encode(), same=False),
    "capital header": Way(lines(rows=[[n.upper() for n in HEADER], *ROWS]).encode(), same=False),
    "index of pandas": Way(
        lines(rows=[["", *HEADER], *(["0", *row] for row in ROWS)]).encode(), same=False
    ),
    "column twice": Way(
        lines(rows=[[*HEADER, "quiz"], *([*row, "1"] for row in ROWS)]).encode(), same=False
    ),
    "open quote": Way(lines(quiz='"50').encode(), same=False),
    "cp1252 without a word": Way(lines(id="s\u00e9").encode("cp1252"), same=False),
    "gzip": Way(gzip.compress(_PLAIN, mtime=0), name="table.csv.gz"),
    "gzip under another name": Way(gzip.compress(_PLAIN, mtime=0)),
    "damaged gzip": Way(gzip.compress(_PLAIN, mtime=0)[:-9], same=False, name="table.csv.gz"),
    "workbook": Way(workbook([HEADER, *ROWS]), name="table.xlsx"),
    "workbook under another name": Way(workbook([["Marks"], [], HEADER, *ROWS])),
    "damaged workbook": Way(workbook([HEADER, *ROWS])[:400], same=False, name="table.xlsx"),
    "decimal commas": Way(
        _mapped(".", ",").replace("70,5", '"70,5"').replace("71,5", '"71,5"').encode(), same=False
    ),
    "decimal commas, read": Way(lines(";").replace(".", ",").encode(), options=_COMMA),
    "percent signs": Way(lines(quiz="50%").encode(), same=False),
    "percent signs, read": Way(lines(quiz="50 %").encode(), options=ReadOptions(percent="number")),
    "shares, read": Way(lines(quiz="5000%").encode(), options=ReadOptions(percent="share")),
    "thousands": Way(lines(";", quiz="1,050").encode(), same=False),
    "thousands by blanks": Way(lines(quiz="1 050").encode(), same=False),
    "points and commas": Way(lines(";", quiz="1.050,5").encode(), same=False),
    "other digits": Way(lines(quiz="\u0665\u0660").encode(), same=False),
    "other digits, read": Way(
        lines(quiz="\u0665\u0660").encode(), options=ReadOptions(digits=True)
    ),
    "wide digits": Way(lines(quiz="\uff15\uff10").encode(), same=False),
    "periods as decimals": Way(lines(period="1.0").encode()),
    "dates for periods": Way(lines(period="2026-09-01").encode(), same=False),
    "words for periods": Way(lines(period="week 1").encode(), same=False),
    "exponents": Way(lines(quiz="5e1").encode()),
    "plus signs": Way(lines(quiz="+50").encode()),
    "infinite": Way(lines(quiz="inf").encode(), same=False),
    "letters": Way(lines(quiz="A").encode(), same=False),
    "out of range": Way(lines(quiz="500").encode(), same=False),
    "duplicate period": Way(lines(rows=[HEADER, ROWS[0], *ROWS]).encode(), same=False),
    "periods the other way round": Way(
        lines(rows=[HEADER, ROWS[1], ROWS[0], ROWS[2]]).encode(), same=False
    ),
    "rows apart": Way(lines(rows=[HEADER, ROWS[0], ROWS[2], ROWS[1]]).encode(), same=False),
    "blank after an id": Way(
        lines(rows=[HEADER, ROWS[0], ["s1 ", *ROWS[1][1:]], ROWS[2]]).encode()
    ),
    "blank id": Way(lines(id="").encode(), same=False),
    "long id": Way(lines(id="x" * 129).encode(), same=False),
    "no rows": Way(lines(rows=[HEADER]).encode(), same=False),
    "nothing": Way(b"", same=False),
    "NA for missing": Way(_PLAIN.replace(b",,", b",NA,")),
    **{
        f"{marker} for missing": Way(_PLAIN.replace(b",,", f",{marker},".encode()), same=False)
        for marker in ("-", "--", "N/A", "NULL", "?", ".", "#N/A", "<NA>", "ND", "Absent", "EX")
    },
    "- for missing, named": Way(_PLAIN.replace(b",,", b",-,"), options=ReadOptions(missing=("-",))),
}


def _columns() -> dict[str, pa.Array]:
    cells = [[row[at] for row in ROWS] for at in range(len(HEADER))]
    return {
        name: pa.array(column)
        if name == "id"
        else pa.array([int(cell) for cell in column])
        if name == "period"
        else pa.array([float(cell) if cell else None for cell in column])
        for name, column in zip(HEADER, cells, strict=True)
    }


def typed(name: str, column: pa.Array) -> pa.Table:
    """The table with one column of another type."""
    return pa.table({**_columns(), name: column})


_QUIZ = [50, 51, 55]
_IDS = [17, 17, 18]
# Column, values, and whether they are read as in the plain table (None: with other ids).
TYPES: dict[str, tuple[str, pa.Array, bool | None]] = {
    **{
        f"quiz as {kind}": ("quiz", pa.array(_QUIZ, kind), True)
        for kind in (
            *(pa.int8(), pa.int16(), pa.int32(), pa.int64()),
            *(pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()),
            *(pa.float32(), pa.float64()),
        )
    },
    "quiz as halves": ("quiz", pa.array(np.array(_QUIZ, np.float16)), True),
    "quiz as decimals": ("quiz", pa.array([Decimal(f"{at}.00") for at in _QUIZ]), True),
    "quiz as text": ("quiz", pa.array([str(at) for at in _QUIZ]), True),
    "quiz as large text": ("quiz", pa.array([str(at) for at in _QUIZ], pa.large_string()), True),
    "quiz as words of a dictionary": (
        "quiz",
        pa.array([str(at) for at in _QUIZ]).dictionary_encode(),
        True,
    ),
    "quiz as numbers of a dictionary": ("quiz", pa.array(_QUIZ).dictionary_encode(), True),
    "quiz as other text": ("quiz", pa.array(["A", "B", "C"]), False),
    "quiz as booleans": ("quiz", pa.array([True, False, True]), False),
    "quiz as dates": ("quiz", pa.array([date(2026, 9, 1)] * 3), False),
    "quiz as moments": ("quiz", pa.array([datetime(2026, 9, 1)] * 3), False),  # noqa: DTZ001
    "quiz as times": ("quiz", pa.array([time(9)] * 3), False),
    "quiz as lists": ("quiz", pa.array([[at] for at in _QUIZ]), False),
    "quiz as structs": ("quiz", pa.array([{"mark": at} for at in _QUIZ]), False),
    "quiz as bytes": ("quiz", pa.array([b"50", b"51", b"55"]), False),
    "quiz beyond its range": ("quiz", pa.array([50.0, 51.0, 500.0]), False),
    "quiz infinite": ("quiz", pa.array([50.0, 51.0, np.inf]), False),
    "periods as floats": ("period", pa.array([1.0, 2.0, 1.0]), True),
    "periods as text": ("period", pa.array(["1", "2", "1"]), True),
    "periods as fractions": ("period", pa.array([1.5, 2.0, 1.0]), False),
    "periods as dates": ("period", pa.array([date(2026, 9, 1)] * 3), False),
    "periods missing": ("period", pa.array([1, None, 1]), False),
    "ids as whole numbers": ("id", pa.array(_IDS), None),
    "ids as floats": ("id", pa.array([300773633.0, 300773633.0, 300773634.0]), None),
    "ids as fractions": ("id", pa.array([1.5, 1.5, 2.5]), False),
    "ids as large text": ("id", pa.array(["s1", "s1", "s2"], pa.large_string()), True),
    "ids as words of a dictionary": ("id", pa.array(["s1", "s1", "s2"]).dictionary_encode(), True),
    "ids as booleans": ("id", pa.array([True, True, False]), False),
    "ids as bytes": ("id", pa.array([b"s1", b"s1", b"s2"]), False),
    "ids missing": ("id", pa.array([None, "s1", "s2"]), False),
}


def faults_of(fault: Any) -> tuple[str, str]:
    """What two commands must agree on: code and message."""
    return fault["code"], fault["message"]
