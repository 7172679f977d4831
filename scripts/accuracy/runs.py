"""Runs of either program, each remembered: what was measured once is not measured again."""

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path


PEER_SIZES = 100


class Runs:
    """Runs programs and keeps every result in a file of its own, named by what was run."""

    def __init__(self, directory: Path, weir: str):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.weir = weir
        self.build = build_of(Path(weir))

    def ours(self, trace: Path, *arguments: str, picture: Path | None = None) -> dict:
        """`weir mrc --json`; the answer has `cpu_seconds` and `resident_kib` beside the curve. May draw it, too."""
        plot = ["--plot", str(picture)] if picture else []
        def run():
            output, cost = measured([self.weir, "mrc", str(trace), "--json", *arguments, *plot])
            return json.loads(output) | cost
        what = ["weir", self.build, trace.name, *arguments]
        if picture and not picture.exists():
            self._file(what).unlink(missing_ok=True)
        return self.remembered(what, run)

    def peer(self, peer, trace: Path, samples: int, salt: int, sizes: list[int]) -> dict:
        """The peer's curve at these sizes, with the costs of one run. It takes few sizes at once, and only increasing ones."""
        def run():
            increasing = sorted(set(sizes))
            ratios = {}
            for start in range(0, len(increasing), PEER_SIZES):
                part = increasing[start : start + PEER_SIZES]
                output, cost = measured(peer.command(trace, samples, salt, part))
                ratios |= zip(part, peer.curve(output), strict=True)
            return {"miss_ratios": [ratios[size] for size in sizes]} | cost
        return self.remembered(["libCacheSim", trace.name, str(samples), str(salt), str(sizes)], run)

    def remembered(self, what: list[str], run):
        """The result of `run`, or of an earlier one of the same name."""
        file = self._file(what)
        if file.exists():
            return json.loads(file.read_text())
        start = time.monotonic()
        result = run()
        shown = " ".join(part for part in what if len(part) < 40)
        print(f"{time.monotonic() - start:6.1f} s  {shown}", file=sys.stderr)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(result))
        part.rename(file)
        return result

    def _file(self, what: list[str]) -> Path:
        return self.directory / (hashlib.sha256("\0".join(what).encode()).hexdigest() + ".json")


def build_of(program: Path) -> str:
    """Tells builds of a program apart."""
    return hashlib.sha256(program.read_bytes()).hexdigest()[:16]


# A program's largest memory counts from before its start, when it still was its parent; so it gets a small one.
PARENT = """
import os, sys
child = os.fork()
if child == 0:
    os.execv(sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w") as cost:
    cost.write(f"{usage.ru_utime + usage.ru_stime} {usage.ru_maxrss}")
sys.exit(os.waitstatus_to_exitcode(status) & 255)
"""


def measured(command: list[str]) -> tuple[str, dict]:
    """What a program prints, and what it cost: CPU seconds, which other programs disturb less than the clock, and memory."""
    with tempfile.NamedTemporaryFile() as costs:
        parent = [sys.executable, "-I", "-S", "-c", PARENT, costs.name]
        done = subprocess.run([*parent, *command], capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)[:300]} failed: {done.stderr.decode()[-500:]}")
        seconds, resident = costs.read().split()
        cost = {"cpu_seconds": float(seconds), "resident_kib": int(resident)}
        return done.stdout.decode(errors="replace"), cost
