#!/usr/bin/env python3
"""Has Flink's own profiler (async-profiler) look at every TaskManager for a while, and fetches the flame graphs.

Needs `rest.profiling.enabled: true`, which the configurations for `measure` and `trace` have.
"""
import argparse
import json
import pathlib
import sys
import time
import urllib.error
import urllib.request

MODES = ["CPU", "WALL", "ITIMER", "LOCK", "ALLOC"]


def fail(message):
    sys.exit(f"fetch_profile: {message}")


def ask(url, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        hint = "; is rest.profiling.enabled true?" if error.code == 404 else ""
        fail(f"{url} answered {error.code}: {error.read().decode(errors='replace')[:200]}{hint}")
    except urllib.error.URLError as error:
        fail(f"cannot reach {url}: {error.reason}")


def wait_for_job(flink, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        jobs = json.loads(ask(f"{flink}/jobs/overview"))["jobs"]
        if any(job["state"] == "RUNNING" for job in jobs):
            return
        time.sleep(1)
    fail(f"no job runs after {seconds} s")


def main():
    parser = argparse.ArgumentParser(prog="fetch_profile.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flink", default="http://127.0.0.1:8081", metavar="URL", help="Flink's REST API (default %(default)s)")
    parser.add_argument("--seconds", type=int, default=60, metavar="N", help="how long to look (default %(default)s)")
    parser.add_argument("--mode", choices=MODES, default="WALL", help="what to look at (default %(default)s)")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("profiles"), metavar="FOLDER", help="where flame graphs go (default %(default)s)")
    parser.add_argument("--wait-for-job", action="store_true", help="begin when a job runs")
    parser.add_argument("--dry-run", action="store_true", help="say what would be asked")
    options = parser.parse_args()
    flink = options.flink.rstrip("/")
    if options.seconds < 1:
        parser.error(f"--seconds {options.seconds}: expected 1 or more")
    if options.dry_run:
        print(f"POST {flink}/taskmanagers/ID/profiler for every TaskManager: {options.mode}, {options.seconds} s; into {options.out}/")
        return
    if options.wait_for_job:
        wait_for_job(flink, 300)
    managers = [manager["id"] for manager in json.loads(ask(f"{flink}/taskmanagers"))["taskmanagers"]]
    if not managers:
        fail(f"{flink} has no TaskManager")
    begun = {}
    for manager in managers:
        info = json.loads(ask(f"{flink}/taskmanagers/{manager}/profiler", {"mode": options.mode, "duration": options.seconds}))
        begun[manager] = info["triggerTime"]
    options.out.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + options.seconds + 60
    while begun and time.monotonic() < end:
        time.sleep(1)
        for manager, at in list(begun.items()):
            listed = json.loads(ask(f"{flink}/taskmanagers/{manager}/profiler"))["profilingList"]
            ours = [info for info in listed if info["triggerTime"] == at]
            if ours and ours[0]["status"] == "FAILED":
                fail(f"{manager}: {ours[0].get('message')}")
            if ours and ours[0]["status"] == "FINISHED":
                name = ours[0]["outputFile"]
                file = options.out / f"{manager.replace(':', '_').replace('/', '_')}-{pathlib.Path(name).name}"
                file.write_bytes(ask(f"{flink}/taskmanagers/{manager}/profiler/{name}"))
                print(file)
                del begun[manager]
    if begun:
        fail(f"no flame graph of {', '.join(begun)} after {options.seconds + 60} s")


if __name__ == "__main__":
    main()
