"""schemathesis asks every operation of the OpenAPI document of the real service.

No response may be a server error, or have a status, a content type or a body that the document does
not describe. What is accepted is not compared with the schemas: they cannot say that a period occurs
once, and a student who does not fit them is listed as an error and changes nothing for the others.
"""

import os
import sys
from pathlib import Path
from subprocess import run

import httpx

from tests.conftest import REPOSITORY
from tests.service.running import Running

SECONDS = 75
HOOKS = "tests.service.openapi.schemathesis_hooks"
_NOT_ASKED = "positive_data_acceptance,negative_data_rejection"


def test_every_response_is_one_that_the_document_describes(server: Running, tmp_path: Path) -> None:
    tool = Path(sys.executable).with_name("schemathesis")
    options = [
        *("--phases", "examples,fuzzing", "--max-examples", "8", "--seed", "1"),
        *("--max-time", str(SECONDS), "--exclude-checks", _NOT_ASKED),
        *("--continue-on-failure", "--no-color"),
    ]
    done = run(
        [str(tool), "run", f"{server.url}/docs.json", *options],
        cwd=tmp_path,
        env={**os.environ, "SCHEMATHESIS_HOOKS": HOOKS, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    document = httpx.get(f"{server.url}/docs.json").json()
    operations = sum(len(path) for path in document["paths"].values())
    # Else it ended before it had seen every operation.
    assert f"Tested: {operations}" in done.stdout, done.stdout
    assert "Traceback" not in server.said()
