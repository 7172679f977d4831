"""Runs of either program, each remembered: what was measured once is not measured again."""

import hashlib
import json
import os
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


def measured(command: list[str]) -> tuple[str, dict]:
    """What a program prints, and what it cost: CPU seconds, which other programs disturb less than the clock, and memory."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        process = subprocess.Popen(command, stdout=out, stderr=error)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        error.seek(0)
        if process.returncode != 0:
            raise RuntimeError(f"{' '.join(command)[:300]} failed: {error.read().decode()[-500:]}")
        cost = {"cpu_seconds": usage.ru_utime + usage.ru_stime, "resident_kib": usage.ru_maxrss}
        return out.read().decode(errors="replace"), cost
