"""What the two papers report on their own, private data: references to print beside ours."""

from collections.abc import Iterable, Mapping
from typing import Literal

from training.studies.study_tables import ALL, LAST, Row, StudyTable

Paper = Literal["paper A", "paper B"]

# Model of the registry -> figure -> value (papers.md, A.4 and B.6).
REPORTED: Mapping[Paper, Mapping[str, Mapping[str, float]]] = {
    "paper A": {
        "svm": {"accuracy": 0.843},
        "random_forest": {"accuracy": 0.887},
        "ann": {"accuracy": 0.895},
        "lstm": {"accuracy": 0.924, "precision": 0.918, "recall": 0.906, "f1": 0.912},
    },
    "paper B": {
        "ridge": {"mae": 8.24, "rmse": 10.56, "r2": 0.72},
        "svr": {"mae": 6.85, "rmse": 8.92, "r2": 0.81},
        "dnn": {"mae": 5.67, "rmse": 7.34, "r2": 0.87},
        "lstm": {"mae": 4.98, "rmse": 6.12, "r2": 0.91},
        "attention-lstm": {"mae": 4.12, "rmse": 5.23, "r2": 0.94},
    },
}


def beside_paper(rows: Iterable[Row], paper: Paper, *, name: str, title: str) -> StudyTable:
    """Lay our figures beside a paper's; it had other data, so that they are no target.

    Args:
        rows: Of one study.
        paper: Whose figures.
        name: Of the table's CSV file.
        title: Title of the table.
    """
    horizon, target = (LAST, "risk") if paper == "paper A" else (ALL, "score")
    ours = {
        (row.model, row.figure): row
        for row in rows
        if row.horizon == horizon and row.target == target
    }
    reported = REPORTED[paper]
    figures = list(dict.fromkeys(figure for of in reported.values() for figure in of))
    body = []
    for model, theirs in reported.items():
        cells = [model]
        for figure in figures:
            row = ours.get((model, figure))
            cells.append("n/a" if row is None else f"{row.mean:.3f}")
            cells.append(f"{theirs[figure]:.3f}" if figure in theirs else "")
        body.append(tuple(cells))
    heads = [head for figure in figures for head in (f"{figure} here", f"{figure} {paper}")]
    return StudyTable(name, title, ("model", *heads), tuple(body))
