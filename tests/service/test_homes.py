"""It starts where only a temporary folder can be written to, and keeps to folders of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from service.process.bentoml_home import HomeError, choose_home
from tests.conftest import REPOSITORY
from tests.service.asking import score, student
from tests.service.running import Running, environment, free_port, serving, stop, wait

COMMAND = Path(sys.executable).with_name("bellwether")
# A file system that is read-only but for a tmpfs, and a user without name and home. The capability
# only lets it read and search: the interpreter may lie in another user's home folder.
CONTAINER = """
set -e
mount --make-rprivate /
mount -o remount,bind,ro /
mount -t tmpfs -o mode=1777 tmpfs "$1"
shift
exec setpriv --reuid 12345 --regid 12345 --clear-groups \\
    --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search \\
    --bounding-set=-all,+dac_read_search "$@"
"""


def _can_isolate() -> bool:
    try:
        command = ["unshare", "--mount", "mount", "--make-rprivate", "/"]
        return not subprocess.run(command, check=False, capture_output=True).returncode
    except OSError:
        return False


def _isolated(writable: Path, *command: str | Path) -> list[str]:
    writable.mkdir()
    isolate = ["unshare", "--mount", "bash", "-c", CONTAINER, "container", str(writable)]
    return [*isolate, *map(str, command)]


needs_isolation = pytest.mark.skipif(not _can_isolate(), reason="needs root to mount file systems")


@needs_isolation
def test_it_serves_with_a_read_only_root_any_user_and_no_home(
    bundle_dir: Path, tmp_path: Path
) -> None:
    port, writable, log = free_port(), tmp_path / "writable", tmp_path / "log"
    command = _isolated(writable, COMMAND, "serve", bundle_dir, "--port", str(port))
    variables = {"PATH": os.environ["PATH"], "TMPDIR": str(writable), "BELLWETHER_THREADS": "1"}
    with (
        log.open("wb") as sink,
        subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=variables,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
    ):
        running = Running(f"http://127.0.0.1:{port}", process, log)
        try:
            wait(running, "/readyz")
            with httpx.Client(base_url=running.url, timeout=30) as client:
                assert score(client, student()).status_code == 200
                assert "bellwether_requests_total" in client.get("/metrics").text
        finally:
            stop(process)

    assert "Traceback" not in running.said()


@needs_isolation
@pytest.mark.parametrize("home", ["", "/nowhere/bentoml"])
def test_without_any_writable_folder_one_sentence_says_what_to_set(
    home: str, bundle_dir: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        _isolated(tmp_path / "unused", COMMAND, "serve", bundle_dir),
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "BENTOML_HOME": home},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "BENTOML_HOME" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_home_that_can_be_written_to_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    variables: dict[str, str] = {}
    choose_home(variables)
    assert variables == {}

    chosen = {"BENTOML_HOME": str(tmp_path / "new" / "home")}
    choose_home(chosen)
    assert chosen == {"BENTOML_HOME": str(tmp_path / "new" / "home")}
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="cannot be written to"):
        choose_home({"BENTOML_HOME": str(tmp_path / "file")})


def test_another_users_folder_of_the_expected_name_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir(mode=0o777)
    theirs.chmod(0o777)
    (tmp_path / f"bellwether-{os.getuid()}").symlink_to(theirs)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "file").touch()
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    variables: dict[str, str] = {}
    choose_home(variables)

    chosen = Path(variables["BENTOML_HOME"])
    assert chosen.parent == tmp_path
    assert chosen.stat().st_mode & 0o777 == 0o700
    assert chosen.resolve() != theirs


@pytest.fixture
def two(bundle_dir: Path, tmp_path: Path) -> Iterator[tuple[Running, Running]]:
    """Two services with one BENTOML_HOME; the second starts while the first answers."""
    variables = environment(tmp_path / "home", bundle=bundle_dir, threads="1")
    with ExitStack() as stack:
        first = stack.enter_context(serving(tmp_path, variables))
        _ask(first, 3)
        yield first, stack.enter_context(serving(tmp_path, variables))


def test_a_second_service_with_the_same_home_leaves_the_firsts_figures(
    two: tuple[Running, Running],
) -> None:
    first, second = two
    assert _count(first) == 3
    _ask(first, 2)
    _ask(second, 1)

    assert (_count(first), _count(second)) == (5, 1)


def _ask(running: Running, times: int) -> None:
    with httpx.Client(base_url=running.url, timeout=30) as client:
        for _ in range(times):
            assert score(client, student()).status_code == 200


def _count(running: Running) -> float:
    wanted = 'bellwether_requests_total{route="/score",status="200"}'
    lines = httpx.get(running.url + "/metrics", timeout=30).text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(wanted))
