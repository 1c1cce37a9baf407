"""Look up known advisories of every locked package, of all requirement files together.

Exits with 1 where there are findings, and with 0 where there are none or the advisory database
cannot be reached, which it then says.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).resolve().parent
_FILES = ("dev.txt", "dev-cpu.txt", "desk.txt", "serving-cpu.txt", "serving-gpu.txt")
_UNREACHABLE = "The advisory database cannot be reached from here; nothing was checked.\n"
_OFFLINE = ("ConnectionError", "Failed to connect", "Max retries", "ServiceError", "timed out")


def main() -> int:
    """Run pip-audit on each file and print each finding once."""
    findings: set[str] = set()
    checked: set[str] = set()
    skipped: set[str] = set()
    for name in _FILES:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "audit.json"
            done = subprocess.run(  # noqa: S603 - our own environment's module
                [
                    *(sys.executable, "-m", "pip_audit", "--progress-spinner", "off"),
                    *("--disable-pip", "--require-hashes", "-r", str(_FOLDER / name)),
                    *("--format", "json", "--output", str(out)),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            if not out.is_file():
                return _failed(done.stderr)
            for package in json.loads(out.read_text(encoding="utf-8"))["dependencies"]:
                # What a package index without advisories answers is no result.
                (skipped if "skip_reason" in package else checked).add(package["name"])
                findings.update(_described(package))
    sys.stdout.write("".join(f"{line}\n" for line in sorted(findings)))
    if not checked:
        sys.stdout.write(_UNREACHABLE)
    else:
        summary = f"{len(checked)} packages checked, {len(findings)} findings"
        sys.stdout.write(f"{summary}; not checked: {', '.join(sorted(skipped)) or 'none'}.\n")
    return int(bool(findings))


def _failed(stderr: str) -> int:
    if any(sign in stderr for sign in _OFFLINE):
        sys.stdout.write(
            "The advisory database cannot be reached from here; nothing was checked.\n"
        )
        return 0
    sys.stderr.write(stderr)
    return 2


def _described(package: dict[str, Any]) -> Iterator[str]:
    for found in package.get("vulns", ()):
        fixed = ", ".join(found["fix_versions"]) or "no release"
        yield f"{package['name']} {package['version']}: {found['id']}, fixed in {fixed}"


if __name__ == "__main__":
    sys.exit(main())
