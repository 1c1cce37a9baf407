"""What docs/bulk.md prints works as printed, and so does its example."""

import csv
import io
import json
import re
import subprocess
from pathlib import Path

import httpx

from tests.conftest import REPOSITORY
from tests.service.running import Running, run_example

BLOCKS = re.findall(
    r"```(\w*)\n(.*?)```", (REPOSITORY / "docs" / "bulk.md").read_text("utf-8"), re.DOTALL
)


def block(language: str, word: str) -> str:
    [text] = [text for kind, text in BLOCKS if kind == language and word in text]
    return str(text)


def test_its_curl_answers_its_table(server: Running, tmp_path: Path) -> None:
    (tmp_path / "cohort.csv").write_text(block("csv", "attendance"))
    command = block("", "curl ").replace("http://127.0.0.1:3000", server.url)
    done = subprocess.run(
        ["bash", "-euc", command], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    rows = list(csv.DictReader(io.StringIO(done.stdout)))

    assert [row["id"] for row in rows] == ["s-1", "s-2"]
    assert "refused" not in {row["status"] for row in rows}


def test_its_columns_of_json_are_answered(http: httpx.Client) -> None:
    answer = http.post("/score/bulk", json=json.loads(block("json", "lengths")))
    assert answer.json()["id"] == ["s-1", "s-2"]
    assert answer.json()["errors"] == []


def test_the_columns_of_the_answer_are_those_that_it_lists(http: httpx.Client) -> None:
    table = block("csv", "attendance")
    answer = http.post("/score/bulk", content=table, headers={"content-type": "text/csv"})
    text = (REPOSITORY / "docs" / "bulk.md").read_text("utf-8")
    for name in next(csv.reader(io.StringIO(answer.text))):
        assert f"`{re.sub('_score$', '_<subject>', name)}`" in text, name


def test_its_client_shows_tiers_and_the_fault(server: Running) -> None:
    printed = run_example("arrow_client.py", server.url)
    assert "s-3 was refused: periods[0].attendance" in printed
    assert re.search(r"^s-1: \w+, 0\.\d+", printed, re.MULTILINE)
