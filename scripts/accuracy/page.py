"""docs/accuracy.md: the figures as tables, with how they came about."""

from statistics import mean, median, stdev

PEER = "libCacheSim"


def page(figures: dict, about: dict, choices: str) -> str:
    """The whole page."""
    parts = [
        HEAD.format(**about),
        against_the_peer(figures["peer"]),
        speed(figures["speed"], figures["peer"]),
        paths(figures["paths"]),
        bands(figures["peer"]),
        short(figures["short"]),
        shapes(figures["shapes"]),
        young(figures["young"]),
        drift(figures["drift"]),
        pictures(figures["peer"]),
        choices,
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


HEAD = """
# Accuracy

Written by `make accuracy`; do not edit. How far the curves of `weir mrc` are from the exact ones, beside those of libCacheSim {peer_version} (`mrcProfiler`,
SHARDS with a fixed size, bytes), at {samples} sampled blocks.

- Long synthetic traces have {accesses:,} accesses (`ACCURACY_SCALE={scale:g}`; 1 is 10,000,000), the shapes are described in `mrc/examples/synthetic_trace.rs`. Real traces are the samples in
  libCacheSim's source package: cloudPhysics, and Twitter's cluster 52 up to as many requests.
- Error: difference of the miss ratio from an exact byte-weighted LRU stack, in points (1 point = 0.01), mean over 100 cache sizes evenly spaced up to the
  working set ("linear"), and over 100 sizes a constant factor apart from a 128th of it ("log"); the largest in brackets is the largest of any size and choice of samples.
- {seeds} choices of samples (seeds) where nothing else is said; shown is the median.
- {missing}
"""


def points(ratio: float) -> str:
    return f"{ratio * 100:.2f}"


def table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def cell(found: list[dict], grid: str) -> str:
    """Median of the mean errors, their scatter, and the largest error."""
    if not found:
        return "-"
    means = [error[grid] for error in found]
    scatter = f" ± {points(stdev(means))}" if len(means) > 1 else ""
    largest = max(error["max" if grid == "linear" else "log_max"] for error in found)
    return f"{points(median(means))}{scatter} ({points(largest)})"


def against_the_peer(rows: list[dict]) -> str:
    body = [
        [row["trace"], f"{row['accesses']:,}", cell(row["ours"], "linear"), cell(row["theirs"], "linear"),
         cell(row["ours"], "log"), cell(row["theirs"], "log")]
        for row in rows
    ]
    def average(whose: str, grid: str) -> str:
        known = [median(e[grid] for e in row[whose]) for row in rows if row[whose]]
        return f"**{points(mean(known))}**" if known else "-"
    body.append([f"**mean of {len(rows)}**", "", average("ours", "linear"), average("theirs", "linear"),
                 average("ours", "log"), average("theirs", "log")])
    header = ["trace", "accesses", "Weir, linear", f"{PEER}, linear", "Weir, log", f"{PEER}, log"]
    return f"## Against {PEER}\n\nMean error ± standard deviation over seeds (largest error), in points.\n\n" + table(header, body)


def speed(rows: list[dict], errors: list[dict]) -> str:
    body = []
    for row, estimator in zip(rows, errors, strict=True):
        ours, theirs = row["our_rate"], row["their_rate"]
        body.append([
            row["trace"], f"{ours / 1e6:.1f}", f"{theirs / 1e6:.1f}" if theirs else "-", f"{ours / theirs:.1f}" if theirs else "-",
            f"{estimator['estimator_bytes'] / 1024:.0f}", f"{row['our_kib'] / 1024:.0f}", f"{row['their_kib'] / 1024:.0f}" if theirs else "-",
        ])
    header = ["trace", "Weir, M/s", f"{PEER}, M/s", "ratio", "Weir's estimator, KiB", "Weir's process, MiB", f"{PEER}'s process, MiB"]
    load = median(row["load"] for row in rows)
    quiet = "the machine did nothing else" if load < 1 else f"other programs ran beside, and the load was {load:.1f} per core"
    note = ("Million accesses per CPU second of the whole process, reading included and 100 sizes asked for, both programs in turns, the median of all turns; "
            f"{quiet}. Memory of the estimator with everything in it, and largest resident memory of the processes (9 MiB is the least that shows).")
    return f"## Speed and memory\n\n{note}\n\n" + table(header, body)


PATHS = {
    "rejected": "rejected: hash of a key of 16 bytes, compared with the threshold",
    "counted": "told, not sampled: hash, recent blocks, thresholds of counting and sampling",
    "sampled": "sampled: observed, a block of the sample",
    "skewed": "every look-up of Zipf 0.99 over 1,000,000 blocks, hash included, the trace in memory",
}


def paths(rows: list[dict]) -> str:
    body = []
    for row in rows:
        instructions = "-" if row["instructions"] is None else f"{row['instructions']:.0f}"
        cost = row["nanoseconds"]
        body.append([PATHS[row["path"]], f"{cost:.1f}", f"{1e3 / cost:.0f}", instructions])
    note = "One thread, the fastest of five runs (other programs disturb the others more); instructions as callgrind counts them."
    return f"## Hot paths\n\n{note}\n\n" + table(["a look-up", "ns", "M/s", "instructions"], body)


def bands(rows: list[dict]) -> str:
    count = len(rows[0]["covered"])
    body = [
        [row["trace"], f"{mean(row['covered']):.0%}", f"{min(row['covered']):.0%}", points(row["width"])]
        for row in rows
    ]
    everything = mean(share for row in rows for share in row["covered"])
    body.append(["**all**", f"**{everything:.0%}**", "", ""])
    header = ["trace", "sizes at which the band holds the exact ratio", "at the worst seed", "mean width, points"]
    note = (f"90 % bands over {count} choices of samples, both grids together. The errors of one curve at neighbouring sizes go together, so a band that holds nine times in ten "
            "does so by missing most sizes of one curve in ten, not a tenth of every curve.")
    return f"## Bands\n\n{note}\n\n" + table(header, body)


def short(rows: list[dict]) -> str:
    body = [[row["trace"], cell(row["errors"], "linear"), cell(row["errors"], "log")] for row in rows]
    return "## Short traces\n\n114,000 accesses.\n\n" + table(["trace", "linear", "log"], body)


def shapes(rows: list[dict]) -> str:
    body = []
    for row in rows:
        for index, size in enumerate(row["sizes"]):
            body.append([
                row["trace"] if index == 0 else "", f"`{row['cache']}`" if index == 0 else "", f"{size / 2**20:.0f}",
                points(row["exact"][index]), points(row["ours"][index]), points(row["ideal"][index]),
            ])
        body.append(["", "", "largest error", "", f"**{points(row['worst'])}**", f"**{points(row['worst_ideal'])}**"])
    note = ("Miss ratios in percent: simulated exactly, estimated for that cache, and estimated for an ideal LRU list; "
            "the mean over seeds. The largest error is that of any seed and size, in points.")
    header = ["trace", "cache", "MiB", "exact", "Weir", "Weir, ideal list"]
    return f"## The cache as it is\n\n{note}\n\n" + table(header, body)


def young(rows: list[dict]) -> str:
    body = []
    for row in rows:
        ours = row["ours"]
        body.append([
            row["trace"], points(row["truth"]), points(row["plain"]), points(row["plain"] - row["truth"]),
            points(mean(ours)), points(max(ours, key=lambda ratio: abs(ratio - row["truth"])) - row["truth"]),
        ])
    note = ("The first tenth of each long trace, with the outcomes of a cache of a tenth of the working set: miss ratios in percent at four times that size. "
            "\"Full\" is the exact one of the whole trace; the plain stack counts first uses as misses, Weir censors them (`--cold censored`).")
    header = ["trace", "full", "plain stack", "error", "Weir, censored", "largest error of a seed"]
    return f"## Young curves\n\n{note}\n\n" + table(header, body)


def drift(rows: list[dict]) -> str:
    body = [[row["trace"], cell(row["errors"], "linear"), cell(row["errors"], "log")] for row in rows]
    note = ("2,000,000 uniform accesses over a working set that doubles, halves or moves when four fifths have passed; half-life a fifth, so that the curve is read one "
            "half-life after the change. Against the exact curve, whose accesses are aged alike.")
    return f"## Drift\n\n{note}\n\n" + table(["the working set", "linear", "log"], body)


def pictures(rows: list[dict]) -> str:
    shown = "\n".join(f"![{row['trace']}](accuracy/{row['picture']})" for row in rows)
    return f"## Pictures\n\nEstimated with seed 0, its band, and exact.\n\n{shown}"
