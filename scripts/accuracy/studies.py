"""What is measured: the errors of a curve over traces, seeds, cache shapes, and changes of the working set."""

import json
import os
from pathlib import Path
from statistics import mean, median

from peer import Peer
from runs import Runs, measured
from traces import SHAPES, SHORT, Traces

SAMPLES = 8192
# Sizes per grid, as in the literature; the logarithmic grid begins at a 128th of the working set.
POINTS = 100
# The exact curve is computed at every 12800th of the working set; both grids are taken from these sizes, so that one run is enough.
FINE = 128 * POINTS
# Half a thousandth: how closely a curve follows its own points.
THINNING = 0.0005


class Studies:
    """Measures over the traces; the results are lists of rows."""

    def __init__(self, runs: Runs, traces: Traces, peer: Peer, seeds: int, band_seeds: int, pictures: Path):
        self.runs = runs
        self.traces = traces
        self.peer = peer
        self.seeds = range(1, seeds + 1)
        self.band_seeds = range(1, band_seeds + 1)
        self.pictures = pictures

    def long_traces(self) -> dict[str, Path]:
        found = {shape: self.traces.synthetic(shape) for shape in SHAPES}
        if self.peer.data:
            found |= self.traces.real(self.peer.data)
        return found

    def exact(self, trace: Path, *arguments: str, picture: str | None = None) -> dict:
        """The exact curve at both grids: sizes of the linear one, then of the logarithmic one, and the ratios."""
        drawn = self.pictures / picture if picture else None
        curve = self.runs.ours(trace, "--exact", "--grid", f"lin:{FINE}", *arguments, picture=drawn)
        linear = [FINE // POINTS * i for i in range(1, POINTS + 1)]
        logarithmic = [round(POINTS * 128 ** (i / (POINTS - 1))) for i in range(POINTS)]
        points = [curve["points"][step - 1] for step in linear + logarithmic]
        return {
            "sizes": [point["bytes"] for point in points],
            "ratios": [point["exact"] for point in points],
            "working_set_bytes": curve["working_set_bytes"],
            "accesses": curve["accesses"],
        }

    def speed(self) -> list[dict]:
        """Both programs on every trace, in turns, for a hundred sizes."""
        rows = []
        for name, trace in self.long_traces().items():
            def turns(trace=trace) -> dict:
                sizes = [2**20 * step for step in range(1, POINTS + 1)]
                grid = ",".join(map(str, sizes))
                ours, theirs = [], []
                for seed in self.seeds:
                    arguments = ["--seed", str(seed), "--samples", str(SAMPLES), "--grid", grid]
                    output, cost = measured([self.runs.weir, "mrc", str(trace), "--json", *arguments])
                    ours.append(cost)
                    if self.peer.profiler:
                        theirs.append(measured(self.peer.command(trace, SAMPLES, seed, sizes))[1])
                return {"accesses": json.loads(output)["accesses"], "ours": ours, "theirs": theirs, "load": load()}
            found = self.runs.remembered(["speed", self.runs.build, trace.name, str(len(self.seeds))], turns)
            ours, theirs = found["ours"], found["theirs"]
            rows.append({
                "trace": name,
                "our_rate": rate(found["accesses"], ours),
                "their_rate": rate(found["accesses"], theirs),
                "our_kib": median(run["resident_kib"] for run in ours),
                "their_kib": median(run["resident_kib"] for run in theirs) if theirs else None,
                "load": found["load"],
            })
        return rows

    def against_the_peer(self) -> list[dict]:
        """Both programs on every trace, in turns, with as many choices of samples as there are seeds."""
        rows = []
        for name, trace in self.long_traces().items():
            picture = name.replace(" ", "-") + ".png"
            exact = self.exact(trace, picture=picture)
            ours, theirs = [], []
            for seed in self.band_seeds:
                ours.append(self.ours(trace, seed, exact["sizes"]))
                if self.peer.profiler and seed in self.seeds:
                    theirs.append(self.runs.peer(self.peer, trace, SAMPLES, seed, exact["sizes"]))
            few = ours[: len(self.seeds)]
            rows.append({
                "trace": name,
                "accesses": exact["accesses"],
                "working_set_bytes": exact["working_set_bytes"],
                "picture": picture,
                "ours": [errors([p["miss_ratio"] for p in run["points"]], exact["ratios"]) for run in few],
                "theirs": [errors(run["miss_ratios"], exact["ratios"]) for run in theirs],
                "covered": [covered(run["points"], exact["ratios"]) for run in ours],
                "width": mean(p["high"] - p["low"] for run in ours for p in run["points"]),
                "estimator_bytes": max(run["estimator_memory_bytes"] for run in ours),
            })
        return rows

    def ours(self, trace: Path, seed: int, sizes: list[int], *arguments: str) -> dict:
        grid = ",".join(map(str, sizes))
        return self.runs.ours(trace, "--seed", str(seed), "--samples", str(SAMPLES), "--grid", grid, *arguments)

    def short(self) -> list[dict]:
        """Every shape, as long as the shortest real trace."""
        rows = []
        for shape in SHAPES:
            trace = self.traces.synthetic(shape, SHORT)
            exact = self.exact(trace)
            runs = [self.ours(trace, seed, exact["sizes"]) for seed in self.seeds]
            found = [errors([p["miss_ratio"] for p in run["points"]], exact["ratios"]) for run in runs]
            rows.append({"trace": shape, "errors": found})
        return rows

    def shapes_of_caches(self) -> list[dict]:
        """The cache as it is: estimates for it, and for an ideal list, against simulated caches."""
        rows = []
        for shape, arguments in (
            ("rdb", ["--shards", "64"]),
            ("rdb", ["--high-pri-ratio", "0.5"]),
            ("loopmix", ["--high-pri-ratio", "0.5"]),
            ("rdb", ["--shards", "64", "--high-pri-ratio", "0.5"]),
        ):
            trace = self.traces.synthetic(shape)
            all_bytes = self.exact(trace)["working_set_bytes"]
            sizes = [all_bytes * share // 100 for share in (2, 5, 10, 20, 40, 70)]
            grid = ",".join(map(str, sizes))
            truth = self.runs.ours(trace, "--exact", "--grid", grid, *arguments)
            exact = [point["exact"] for point in truth["points"]]
            ours = [self.ours(trace, seed, sizes, *arguments) for seed in self.seeds]
            ideal = [self.ours(trace, seed, sizes) for seed in self.seeds]
            rows.append({
                "trace": shape,
                "cache": " ".join(arguments),
                "sizes": sizes,
                "exact": exact,
                "ours": [mean(run["points"][i]["miss_ratio"] for run in ours) for i in range(len(sizes))],
                "ideal": [mean(run["points"][i]["miss_ratio"] for run in ideal) for i in range(len(sizes))],
                "worst": max(worst(run, exact) for run in ours),
                "worst_ideal": max(worst(run, exact) for run in ideal),
            })
        return rows

    def drift(self) -> list[dict]:
        """One half-life after the working set has changed: against the exact curve, aged alike."""
        rows = []
        for change in ("doubles", "halves", "moves"):
            trace = self.traces.synthetic(change, 2_000_000)
            half_life = ["--half-life", str(2_000_000 // 5)]
            exact = self.exact(trace, *half_life)
            runs = [self.ours(trace, seed, exact["sizes"], *half_life) for seed in self.seeds]
            found = [errors([p["miss_ratio"] for p in run["points"]], exact["ratios"]) for run in runs]
            rows.append({"trace": change, "errors": found})
        return rows

    def young(self) -> list[dict]:
        """A tenth of a trace, with the outcomes of a cache of a tenth of the working set: the curve at four times that size."""
        rows = []
        for shape in SHAPES:
            full = self.traces.synthetic(shape)
            all_bytes = self.exact(full)["working_set_bytes"]
            known, asked = all_bytes // 10, all_bytes // 10 * 4
            truth = self.runs.ours(full, "--exact", "--grid", str(asked))["points"][0]["exact"]
            tenth = self.traces.synthetic(shape, self.traces.accesses // 10, capacity=known)
            def at(*arguments: str) -> list[float]:
                return [self.ours(tenth, seed, [asked], *arguments)["points"][0]["miss_ratio"] for seed in self.seeds]
            rows.append({
                "trace": shape,
                "truth": truth,
                "plain": mean(at()),
                "ours": at("--cold", "censored", "--capacity", str(known)),
            })
        return rows


def errors(estimated: list[float], exact: list[float]) -> dict:
    """Mean and largest error on the linear and on the logarithmic grid."""
    found = [abs(e - x) for e, x in zip(estimated, exact, strict=True)]
    linear, logarithmic = found[:POINTS], found[POINTS:]
    return {"linear": mean(linear), "log": mean(logarithmic), "max": max(linear), "log_max": max(logarithmic)}


def covered(points: list[dict], exact: list[float]) -> float:
    """Share of the sizes at which the band holds the exact ratio."""
    return mean(p["low"] - THINNING <= x <= p["high"] + THINNING for p, x in zip(points, exact, strict=True))


def worst(run: dict, exact: list[float]) -> float:
    return max(abs(p["miss_ratio"] - x) for p, x in zip(run["points"], exact, strict=True))


def rate(accesses: int, runs: list[dict]) -> float | None:
    """Accesses per CPU second, reading included: the median run."""
    return accesses / median(run["cpu_seconds"] for run in runs) if runs else None


def load() -> float:
    """Programs that want to run, per core."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)
