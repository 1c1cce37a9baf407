"""Count the CPU threads that this process may use.

ONNX Runtime's default is the host's physical cores: blind to CPU affinity and to the quota that a
container gets, so that many threads compete for few cores.
"""

import os
from pathlib import Path


def thread_count(workers: int = 1) -> int:
    """Return the intra-op threads for each of `workers` processes that share this allowance.

    Raises:
        ValueError: `workers` is below 1.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, not {workers}.")
    allowance: float = allowed_cores()
    quota = cpu_quota()
    if quota is not None:
        allowance = min(allowance, quota)
    return max(1, int(allowance / workers))


def allowed_cores() -> int:
    """Return how many cores the scheduler may run this process on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS and Windows have no affinity to ask for


def cpu_quota(
    root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> float | None:
    """Return the CPU time a second that the control groups allow, in cores, or None if unlimited.

    A quota of any ancestor binds its descendants, so the smallest on the way up counts.

    Args:
        root: Where the control groups are mounted.
        membership: The file that says which groups this process belongs to.
    """
    if not membership.is_file():
        return None
    quotas: list[float] = []
    for line in membership.read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2: one hierarchy for all controllers
            quotas += [_quota_v2(group) for group in _lineage(root, path)]
        elif "cpu" in controllers.split(","):
            for mount in (root / "cpu", root / "cpu,cpuacct"):
                quotas += [_quota_v1(group) for group in _lineage(mount, path)]
    return min((quota for quota in quotas if quota > 0), default=None)


def _lineage(mount: Path, path: str) -> list[Path]:
    """Folders from the mount down to the group; in a container the path may not exist there."""
    parts = [part for part in path.split("/") if part not in ("", "..")]
    return [mount.joinpath(*parts[:depth]) for depth in range(len(parts) + 1)]


def _quota_v2(group: Path) -> float:
    """Read `cpu.max` ('200000 100000' or 'max 100000'); 0 where there is no limit."""
    text = _read(group / "cpu.max")
    if not text or text.startswith("max"):
        return 0.0
    quota, period = text.split()
    return int(quota) / int(period)


def _quota_v1(group: Path) -> float:
    """Read `cpu.cfs_quota_us` over `cpu.cfs_period_us`; not positive where there is no limit."""
    quota, period = _read(group / "cpu.cfs_quota_us"), _read(group / "cpu.cfs_period_us")
    if not quota or not period:
        return 0.0
    return int(quota) / int(period)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
