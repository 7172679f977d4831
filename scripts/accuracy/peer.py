"""libCacheSim, the peer that is measured against: fetched as a source package, checked by hash, built."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

VERSION = "0.3.5"
SHA256 = "a1512046ab45bc0e5f0a81e5673cd02209477ffeefcb17a05fa714a06371abfb"
SOURCE = f"libcachesim-{VERSION}/src/libCacheSim"


class Peer:
    """The peer's profiler and the traces in its package; either may be missing, with a reason."""

    def __init__(self, cache: Path):
        self.cache = cache
        self.profiler = None
        self.data = None
        self.missing = None
        try:
            self._fetch()
            self.data = cache / SOURCE / "data"
            self._build()
        except (OSError, subprocess.CalledProcessError, ValueError) as error:
            self.missing = f"libCacheSim {VERSION} is not at hand: {error}"
            print(self.missing, file=sys.stderr)

    def _fetch(self):
        archive = self.cache / "sdist" / f"libcachesim-{VERSION}.tar.gz"
        if not archive.exists():
            venv = self.cache / "venv"
            if not venv.exists():
                subprocess.run([sys.executable, "-m", "venv", venv], check=True)
            print(f"fetching libCacheSim {VERSION} from PyPI", file=sys.stderr)
            subprocess.run(
                [venv / "bin/python", "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:",
                 f"libcachesim=={VERSION}", "--dest", archive.parent],
                check=True,
            )
        digest = hashlib.sha256(archive.read_bytes()).hexdigest()
        if digest != SHA256:
            raise ValueError(f"{archive} has SHA-256 {digest}; expected {SHA256}; remove it and try again")
        if not (self.cache / SOURCE).exists():
            with tarfile.open(archive) as package:
                package.extractall(self.cache, filter="data")

    def _build(self):
        build = self.cache / "build"
        profiler = build / "bin/mrcProfiler"
        if not profiler.exists():
            for tool in ("cmake", "pkg-config", "c++"):
                if shutil.which(tool) is None:
                    raise ValueError(f"{tool} is missing (Debian: cmake pkg-config g++ libglib2.0-dev libzstd-dev)")
            print("building libCacheSim's mrcProfiler", file=sys.stderr)
            quiet = {"check": True, "stdout": subprocess.DEVNULL}
            subprocess.run(["cmake", "-S", self.cache / SOURCE, "-B", build, "-DCMAKE_BUILD_TYPE=Release"], **quiet)
            jobs = str(os.cpu_count())
            subprocess.run(["cmake", "--build", build, "--target", "mrcProfiler", "-j", jobs], **quiet)
        self.profiler = profiler

    def command(self, trace: Path, samples: int, salt: int, sizes: list[int]) -> list[str]:
        """SHARDS with a fixed size, which is the peer's best method of constant memory."""
        listed = ",".join(f"{size}B" for size in sizes)
        return [str(self.profiler), str(trace), "oracleGeneral", "--algo=LRU", "--profiler=SHARDS",
                f"--profiler-params=FIX_SIZE,{samples},{salt}", f"--size={listed}"]

    @staticmethod
    def curve(output: str) -> list[float]:
        """Miss ratios in the order of the sizes."""
        rows = output[output.index("cache_size\t"):].splitlines()[1:]
        return [float(row.split("\t")[1]) for row in rows]
