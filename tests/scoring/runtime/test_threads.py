import os
from pathlib import Path

import pytest

from scoring.runtime.threads import allowed_cores, cpu_quota, thread_count


def write(root: Path, group: str, **files: str) -> None:
    folder = root / group
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


def membership(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "membership"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_a_version_2_quota_is_read_in_cores(tmp_path: Path) -> None:
    write(tmp_path, ".", cpu__max="150000 100000")
    assert cpu_quota(tmp_path, membership(tmp_path, "0::/")) == 1.5


def test_a_quota_of_an_ancestor_binds_its_descendants(tmp_path: Path) -> None:
    write(tmp_path, "pod", cpu__max="200000 100000")
    write(tmp_path, "pod/worker", cpu__max="max 100000")
    assert cpu_quota(tmp_path, membership(tmp_path, "0::/pod/worker")) == 2.0


def test_the_smallest_quota_on_the_way_up_counts(tmp_path: Path) -> None:
    write(tmp_path, "pod", cpu__max="400000 100000")
    write(tmp_path, "pod/worker", cpu__max="50000 100000")
    assert cpu_quota(tmp_path, membership(tmp_path, "0::/pod/worker")) == 0.5


def test_a_version_1_quota_is_read_in_cores(tmp_path: Path) -> None:
    write(tmp_path, "cpu/docker/a", cpu__cfs_quota_us="300000", cpu__cfs_period_us="100000")
    lines = ("4:memory:/docker/a", "3:cpu,cpuacct:/docker/a")
    assert cpu_quota(tmp_path, membership(tmp_path, *lines)) == 3.0


def test_a_container_finds_its_version_1_quota_at_the_mount_itself(tmp_path: Path) -> None:
    write(tmp_path, "cpu,cpuacct", cpu__cfs_quota_us="100000", cpu__cfs_period_us="100000")
    assert cpu_quota(tmp_path, membership(tmp_path, "3:cpu,cpuacct:/docker/not-here")) == 1.0


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("0::/", {"cpu__max": "max 100000"}),
        ("0::/", {}),
        ("1:cpu:/", {"cpu__cfs_quota_us": "-1", "cpu__cfs_period_us": "100000"}),
        ("1:memory:/", {}),
    ],
)
def test_no_limit_is_no_quota(tmp_path: Path, line: str, files: dict[str, str]) -> None:
    write(tmp_path, "cpu" if "cpu" in line else ".", **files)
    assert cpu_quota(tmp_path, membership(tmp_path, line)) is None


def test_a_system_without_control_groups_has_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path, tmp_path / "absent") is None


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_affinity_limits_the_threads() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert allowed_cores() == 1
        assert thread_count() == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_workers_share_the_threads_and_each_gets_at_least_one() -> None:
    assert thread_count(workers=1) <= allowed_cores()
    assert thread_count(workers=10_000) == 1


def test_no_workers_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        thread_count(workers=0)


def test_a_quota_below_the_affinity_limits_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scoring.runtime.threads.cpu_quota", lambda: 4.9)
    monkeypatch.setattr("scoring.runtime.threads.allowed_cores", lambda: 16)
    assert thread_count() == 4
    assert thread_count(workers=2) == 2
    assert thread_count(workers=3) == 1
