"""What one look-up costs on each hot path: nanoseconds, and instructions where valgrind is installed."""

import re
import shutil
import subprocess
from pathlib import Path

PATHS = ("rejected", "counted", "sampled", "skewed")
# Look-ups: of the runs that are timed, of which the fastest counts, and of the two whose instructions are compared.
TIMED = 10_000_000
RUNS = 5
FEW, MANY = 500_000, 1_500_000


def hot_paths(program: Path) -> list[dict]:
    """A row for each path; the price of making a key is taken off, but not from `skewed`, whose keys are in memory."""
    key = {"nanoseconds": nanoseconds(program, "none"), "instructions": instructions(program, "none")}
    rows = []
    for path in PATHS:
        row = {"nanoseconds": nanoseconds(program, path), "instructions": instructions(program, path)}
        if path != "skewed":
            row = {unit: cost - key[unit] if cost is not None else None for unit, cost in row.items()}
        rows.append({"path": path} | row)
    return rows


def nanoseconds(program: Path, path: str) -> float:
    """Of one look-up, in the fastest run."""
    def once() -> float:
        printed = subprocess.run([program, path, str(TIMED)], check=True, capture_output=True, text=True).stdout
        return float(re.search(r"([0-9.]+) ns", printed)[1])
    return min(once() for _ in range(RUNS))


def instructions(program: Path, path: str) -> float | None:
    """Of one look-up: two runs, the difference over the difference."""
    if path == "skewed" or shutil.which("valgrind") is None:
        return None
    def counted(lookups: int) -> int:
        command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, path, str(lookups)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stderr
        return int(re.search(r"Collected : (\d+)", printed)[1])
    return (counted(MANY) - counted(FEW)) / (MANY - FEW)
