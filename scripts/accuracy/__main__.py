"""Measures how accurate and fast `weir mrc` is, beside libCacheSim, and writes docs/accuracy.md.

    python3 scripts/accuracy --weir target/release/weir --examples target/release/examples

It can be interrupted: what was measured is kept in the cache (${XDG_CACHE_HOME:-~/.cache}/weir/accuracy) and not measured again, unless
the program has changed. With ACCURACY_ONLY=speed the speeds alone are measured, which want a machine that does nothing else for some
minutes; the run that writes the page then takes them over. ACCURACY_SCALE scales the length of the long traces (1: 10,000,000 accesses), ACCURACY_SEEDS and
ACCURACY_BAND_SEEDS the choices of samples (5 and 20).
"""

import argparse
import os
from pathlib import Path

import page
from paths import hot_paths
from peer import VERSION, Peer
from runs import Runs, build_of
from studies import SAMPLES, Studies
from traces import Traces

FULL = 10_000_000


def main():
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weir", required=True, help="the program")
    parser.add_argument("--examples", type=Path, required=True, help="where the examples `synthetic_trace` and `hot_paths` of weir-mrc are")
    parser.add_argument("--page", type=Path, default=root / "docs/accuracy.md", help="the page to write")
    arguments = parser.parse_args()

    scale = float(os.environ.get("ACCURACY_SCALE", "1"))
    seeds = int(os.environ.get("ACCURACY_SEEDS", "5"))
    band_seeds = int(os.environ.get("ACCURACY_BAND_SEEDS", "20"))
    if not (0.01 <= scale <= 10 and seeds >= 1 and band_seeds >= seeds):
        parser.error("ACCURACY_SCALE must be 0.01 to 10, ACCURACY_SEEDS 1 or more, ACCURACY_BAND_SEEDS as many or more")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "weir/accuracy"
    cache.mkdir(parents=True, exist_ok=True)

    pictures = arguments.page.parent / "accuracy"
    pictures.mkdir(parents=True, exist_ok=True)
    peer = Peer(cache)
    traces = Traces(cache, arguments.examples / "synthetic_trace", int(FULL * scale))
    runs = Runs(cache / "results", arguments.weir)
    studies = Studies(runs, traces, peer, seeds, band_seeds, pictures)
    paths = arguments.examples / "hot_paths"
    only_speed = os.environ.get("ACCURACY_ONLY") == "speed"
    figures = {} if only_speed else {
        "peer": studies.against_the_peer(),
        "short": studies.short(),
        "shapes": studies.shapes_of_caches(),
        "young": studies.young(),
        "drift": studies.drift(),
    }
    figures |= {
        "speed": studies.speed(),
        "paths": runs.remembered(["hot paths", build_of(paths)], lambda: hot_paths(paths)),
    }
    if only_speed:
        return
    about = {
        "peer_version": VERSION,
        "samples": SAMPLES,
        "accesses": traces.accesses,
        "scale": scale,
        "seeds": seeds,
        "missing": peer.missing or "libCacheSim was built from its source package, checked by SHA-256.",
    }
    choices = (Path(__file__).parent / "choices.md").read_text()
    arguments.page.write_text(page.page(figures, about, choices))
    print(arguments.page)


if __name__ == "__main__":
    main()
