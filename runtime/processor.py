"""What this process has of the processor: threads by affinity and container quota, and the processor's features."""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available_threads() -> int:
    """Processors this process may run on, at least 1, bounded by the container's CPU quota rounded up."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup_quota(_CGROUP)
    return max(1, affinity if quota is None else min(affinity, math.ceil(quota)))


def features(cpuinfo: Path = Path("/proc/cpuinfo")) -> frozenset[str]:
    """Processor features in Linux's names; empty where the system does not tell."""
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:
        return frozenset()
    flags = (line.partition(":")[2] for line in lines if line.partition(":")[0].strip() in ("flags", "Features"))
    return frozenset(next(flags, "").split())


def cgroup_quota(root: Path) -> float | None:
    """CPU quota in processors under a cgroup mount (version 2, then 1); None where there is none."""
    try:
        quota, period = (root / "cpu.max").read_text().split()[:2]
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        pass
    try:
        limit = int((root / "cpu" / "cpu.cfs_quota_us").read_text())
        return None if limit <= 0 else limit / int((root / "cpu" / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError, ZeroDivisionError):
        return None
