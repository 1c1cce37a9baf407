"""A small contract of every kind, and ways to write a table of it and to see what is wrong."""

from pathlib import Path

import pytest

from records.contract import (
    Audit,
    Contract,
    Feature,
    Kind,
    Periods,
    RiskTarget,
    ScoreTarget,
    Targets,
)
from records.errors import Fault, TableError
from records.tables.read_write import read_table

CONTRACT = Contract(
    name="small",
    version=1,
    title="Small",
    periods=Periods(name="week", maximum=4),
    features=(
        Feature(name="attendance", label="Attendance", minimum=0, maximum=100),
        Feature(name="clicks", label="Clicks", minimum=0),
        Feature(
            name="rating", label="Rating", kind=Kind.ORDINAL, levels=("poor", "good", "very good")
        ),
        Feature(name="module", label="Module", kind=Kind.CATEGORICAL, levels=("1", "2")),
        Feature(name="tutoring", label="Tutoring", kind=Kind.FLAG),
    ),
    targets=Targets(
        risk=RiskTarget(label="Fails"),
        score=ScoreTarget(label="Score", minimum=0, maximum=100, subjects=("maths", "physics")),
    ),
    audit=(Audit(name="gender", label="Gender"),),
)
HEADER = "id,period,attendance,clicks,rating,module,tutoring"
GOOD = ["s1,1,80,3,good,1,true", "s1,2,75.5,0,poor,1,false", "s2,1,,,,,"]


def table(folder: Path, *lines: str, header: str = HEADER, name: str = "marks.csv") -> Path:
    path = folder / name
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def faults(path: Path, contract: Contract = CONTRACT) -> list[Fault]:
    with pytest.raises(TableError) as caught:
        read_table(path, contract)
    return caught.value.faults


def seen(path: Path, contract: Contract = CONTRACT) -> list[tuple[int | None, str | None, str]]:
    return [(fault.row, fault.field, fault.code) for fault in faults(path, contract)]
