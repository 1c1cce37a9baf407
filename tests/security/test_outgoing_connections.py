"""Nothing of Bellwether opens a connection that its configuration does not name."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from records.usage_reports import SWITCHES, switch_off_usage_reports
from scoring.runtime.onnx_runtime import runtime_state
from tests.conftest import REPOSITORY
from tests.security.proxy import counting_proxy, left_behind
from tests.service.asking import score, student
from tests.service.running import serving

# The first report goes out about nine seconds after the import.
WITHOUT_SWITCH = "import onnxruntime, time; onnxruntime.get_available_providers(); time.sleep(90)"
# Each is a process that loads ONNX Runtime by the project's own way, and stays.
ENTRIES = {
    "scoring": "import scoring.runtime.providers",
    "export": "import export.backend",
    "benchmarks": "import benchmarks.micro.providers",
}
STAY = "; import time, sys; print('loaded', flush=True); sys.stdin.read()"
OWN_ENVIRONMENTS = REPOSITORY / "benchmarks" / "peers"
MAY_IMPORT = {Path("scoring/runtime/onnx_runtime.py"), Path("export/backend.py")}


def _can_report() -> bool:
    library = Path(runtime_state.__file__)
    return b"ORT_DISABLE_TELEMETRY" in library.read_bytes()


def _python(program: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_service_score_and_every_other_process_send_no_reports(
    bundle_dir: Path, tmp_path: Path
) -> None:
    """Run all of them while a process without the switch shows that the proxy would be asked."""
    homes = {name: tmp_path / name for name in ("serve", "score", *ENTRIES)}
    table = tmp_path / "table.csv"
    table.write_text("id,period,attendance,quiz\ns-1,1,80,70\ns-1,2,60,50\n", encoding="utf-8")
    with counting_proxy() as silent, counting_proxy() as control:
        environment = silent.environment(homes["serve"]) | {
            "BELLWETHER_BUNDLE": str(bundle_dir),
            "BELLWETHER_THREADS": "1",
        }
        with serving(tmp_path, environment) as running:
            with httpx.Client(base_url=running.url, timeout=30) as client:
                score(client, student())
            command = [sys.executable, "-c", "from cli.main import run; run()", "score"]
            command += [str(table), "--bundle", str(bundle_dir), "--out", str(tmp_path / "o.csv")]
            subprocess.run(
                command,
                cwd=REPOSITORY,
                env=silent.environment(homes["score"]),
                check=True,
                capture_output=True,
            )
            children = [
                _python(program + STAY, silent.environment(homes[name]))
                for name, program in ENTRIES.items()
            ]
            try:
                for child in children:
                    assert child.stdout
                    assert child.stdout.readline() == "loaded\n"
                # Started last: when its report arrives, those of the others would have.
                children.append(_python(WITHOUT_SWITCH, control.environment(tmp_path / "control")))
                reported = control.await_connection(60)
            finally:
                for child in children:
                    child.kill()
                    child.communicate()
    if not reported:
        assert not _can_report(), "a process without the switch was expected to report"
        pytest.skip("this build of ONNX Runtime sends no reports")
    assert left_behind(tmp_path / "control")
    assert not silent.asked
    assert {name: left_behind(home) for name, home in homes.items()} == {name: [] for name in homes}


def test_only_one_module_imports_onnx_runtime() -> None:
    """Find every other import; peers of benchmarks run in environments of their own."""
    found = [
        path.relative_to(REPOSITORY)
        for path in REPOSITORY.rglob("*.py")
        if not {".venv", "build", "runs", "tests"} & set(path.relative_to(REPOSITORY).parts)
        and OWN_ENVIRONMENTS not in path.parents
        and any(_imports(node, "onnxruntime") for node in ast.walk(_tree(path)))
    ]

    assert set(found) == MAY_IMPORT


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _imports(node: ast.AST, package: str) -> bool:
    if isinstance(node, ast.Import):
        return any(alias.name.split(".")[0] == package for alias in node.names)
    return isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package


@pytest.mark.parametrize("file", ["bentofile.yaml", "bentofile.cpu.yaml", "bentofile.cuda.yaml"])
def test_a_container_sets_the_switches_too(file: str) -> None:
    text = (REPOSITORY / file).read_text(encoding="utf-8")

    assert "- name: ORT_DISABLE_TELEMETRY" in text
    assert "- name: BENTOML_DO_NOT_TRACK" in text


def test_switches_fill_what_is_unset_or_empty_and_leave_a_choice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "")
    monkeypatch.setenv("BENTOML_DO_NOT_TRACK", "False")
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    switch_off_usage_reports()

    assert os.environ["ORT_DISABLE_TELEMETRY"] == SWITCHES["ORT_DISABLE_TELEMETRY"]
    assert os.environ["BENTOML_DO_NOT_TRACK"] == "False"
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
