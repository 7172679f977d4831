"""The traces: synthetic ones from seeds, real ones from the peer's package; all as oracleGeneral files in the cache."""

import csv
import struct
import subprocess
import sys
from pathlib import Path

SHAPES = ["zipf0.99", "zipf0.6", "uniform", "loopmix", "lsm", "rdb"]
# Requests in a short trace: as many as cloudPhysicsIO has.
SHORT = 114_000
TWITTER = "twitter_cluster52_10m.csv.zst"


class Traces:
    """Makes and finds traces. `accesses` is the length of a long one."""

    def __init__(self, cache: Path, generator: str, accesses: int):
        self.cache = cache / "traces"
        self.cache.mkdir(parents=True, exist_ok=True)
        self.generator = generator
        self.accesses = accesses

    def synthetic(self, shape: str, accesses: int | None = None, seed: int = 12345, capacity: int | None = None) -> Path:
        """A synthetic trace; with a capacity, as CSV with the outcomes of a cache of that size."""
        accesses = accesses or self.accesses
        name = f"{shape}-{seed}-{accesses}" + (f"-{capacity}.csv" if capacity else ".bin")
        command = [self.generator, shape, str(seed), str(accesses)]
        more = [str(capacity)] if capacity else []
        return self._made(name, lambda part: subprocess.run([*command, part, *more], check=True))

    def real(self, data: Path) -> dict[str, Path]:
        """The peer's sample traces, by name."""
        found = {"cloudPhysics": data / "cloudPhysicsIO.oracleGeneral.bin"}
        for name, limit in (("twitter52 1m", 1_000_000), ("twitter52", self.accesses)):
            if name == "twitter52 1m" and limit >= self.accesses:
                continue
            file = f"twitter52-{limit}.bin"
            found[name] = self._made(file, lambda part, limit=limit: convert(data / TWITTER, part, limit))
        return found

    def _made(self, name: str, make) -> Path:
        path = self.cache / name
        if not path.exists():
            print(f"making trace {name}", file=sys.stderr)
            part = path.with_name(f"{path.stem}.part{path.suffix}")
            make(part)
            part.rename(path)
        return path


def convert(packed: Path, target: Path, limit: int):
    """Twitter's CSV (time, object, size, next access) as oracleGeneral, its first `limit` requests."""
    unpack = subprocess.Popen(["zstd", "-dc", packed], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    record = struct.Struct("<IQIq")
    with target.open("wb", buffering=1 << 20) as out, unpack.stdout as lines:
        next(lines)
        for number, (time, key, size, _) in enumerate(csv.reader(lines)):
            if number == limit:
                break
            out.write(record.pack(int(time), int(key), int(size), -1))
    unpack.wait()
