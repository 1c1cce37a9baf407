"""The documents' pictures, drawn from a real run."""

import shutil
from pathlib import Path

from report.pictures import CHOSEN, draw_pictures
from training.run_folder import RunFolder


def test_a_run_gives_every_picture(run_folder: RunFolder, tmp_path: Path) -> None:
    written = draw_pictures(run_folder, tmp_path / "pictures")
    assert len(written) == len(CHOSEN) + (shutil.which("chromium") is not None)
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {p.name for p in written}
    for path in written:
        if path.suffix == ".svg":
            assert path.read_text(encoding="utf-8").startswith("<svg")
        else:
            assert path.read_bytes().startswith(b"\x89PNG")
