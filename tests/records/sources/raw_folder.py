"""Write small folders of raw files."""

import gzip
from collections.abc import Mapping
from pathlib import Path

Table = list[str]


def write(folder: Path, files: Mapping[str, Table], *, zipped: bool = False) -> Path:
    """Write each table as `folder`/name.csv, or .csv.gz; give the folder back."""
    for name, lines in files.items():
        content = "".join(f"{line}\n" for line in lines).encode()
        if zipped:
            (folder / f"{name}.csv.gz").write_bytes(gzip.compress(content))
        else:
            (folder / f"{name}.csv").write_bytes(content)
    return folder
