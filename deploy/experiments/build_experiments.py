#!/usr/bin/env python3
"""Builds the autoscaling experiments, a Kubernetes file for every query and policy, from experiments.toml and ../kubernetes/.

`build_experiments.py` writes QUERY-POLICY.yaml; `build_experiments.py --check` fails if a file is not what would be written, or is there
and would not be. An experiment is one application named `nexmark`: run one at a time, beside ../kubernetes/controller.yaml.
"""
import json
import pathlib
import sys
import tomllib

HERE = pathlib.Path(__file__).parent
KUBERNETES = HERE.parent / "kubernetes"
QUERY_KEYS = {"rate", "memory", "stabilization", "window", "utilization", "boundary", "vertex-max-parallelism", "tables", "generator"}
POLICY_KEYS = {"about", "memory-mode", "autoscaler", "act"}
# The most subtasks that any policy may ask for: key groups.
MAX_PARALLELISM = 24


def fail(message):
    sys.exit(f"build_experiments: {message}")


def put(text, old, new):
    """The text with its one `old` replaced: the source must still be as expected here."""
    if text.count(old) != 1:
        fail(f"{text.count(old)} times {old!r} in the manifest, expected once")
    return text.replace(old, new)


def autoscaler_keys(query):
    keys = {
        "enabled": "true",
        "stabilization.interval": query["stabilization"],
        "metrics.window": query["window"],
        "target.utilization": query.get("utilization", 0.5),
        "target.utilization.boundary": query.get("boundary", 0.3),
    }
    if "vertex-max-parallelism" in query:
        keys["vertex.max-parallelism"] = query["vertex-max-parallelism"]
    return {f"job.autoscaler.{key}": value for key, value in keys.items()}


def deployment(name, query, policy):
    text = (KUBERNETES / "flink-deployment.yaml").read_text()
    arguments = ["--queries", name, "--rate", str(query["rate"]), "--tables", query.get("tables", "stream"), "--events", "0"]
    for option, value in query.get("generator", {}).items():
        arguments += ["--set", f"{option}={value}"]
    flink = {"pipeline.max-parallelism": MAX_PARALLELISM, **(autoscaler_keys(query) if policy.get("autoscaler") else {})}
    lines = "".join(f'    {key}: "{value}"\n' for key, value in flink.items())
    scheduler = "    jobmanager.scheduler: adaptive\n"
    text = put(text, scheduler, scheduler + lines)
    text = put(text, "weir.memory.mode: per-operator", f"weir.memory.mode: {policy['memory-mode']}")
    text = put(text, 'args: ["--queries", "q18,q20", "--rate", "10000"]', f"args: {json.dumps(arguments)}")
    text = put(text, "    parallelism: 2\n", "    parallelism: 1\n")
    return put(text, "resource: {cpu: 4, memory: 4096m}", f"resource: {{cpu: 4, memory: {query['memory']}}}")


def controller(query, name, policy):
    """The controller's settings, in place of those in ../kubernetes/controller.yaml."""
    parts = (KUBERNETES / "controller.yaml").read_text().split("\n---\n")
    text = next(part for part in parts if "kind: ConfigMap" in part)
    text = put(text, "    act = []\n", f"    act = {json.dumps(policy['act'])}\n")
    text = put(text, '    policy = "weir"\n', f'    policy = "{name}"\n    load-window = "{query["window"]}"\n')
    return put(text, '    # Decide, explain and record, but change nothing. Add "resize" once its advice is trusted.\n', "")


def experiments(source):
    for policy_name, policy in source["policies"].items():
        if unknown := policy.keys() - POLICY_KEYS:
            fail(f"policy {policy_name}: unknown {sorted(unknown)}; known are {sorted(POLICY_KEYS)}")
        for name, query in source["queries"].items():
            if unknown := query.keys() - QUERY_KEYS:
                fail(f"{name}: unknown {sorted(unknown)}; known are {sorted(QUERY_KEYS)}")
            head = f"# Nexmark {name} under {policy_name}: {policy['about']}.\n# Made from experiments.toml by build_experiments.py: change it there.\n"
            parts = [deployment(name, query, policy)]
            if "act" in policy:
                parts.append(controller(query, policy_name, policy) + "\n")
            yield HERE / f"{name}-{policy_name}.yaml", head + "---\n".join(parts)


def main(arguments):
    if arguments not in ([], ["--check"]):
        fail(f"unknown arguments {arguments}; expected none, or --check")
    wanted = dict(experiments(tomllib.loads((HERE / "experiments.toml").read_text())))
    stale = [path for path in HERE.glob("*.yaml") if path not in wanted]
    for path, text in wanted.items():
        if arguments and (not path.exists() or path.read_text() != text):
            stale.append(path)
        elif not arguments:
            path.write_text(text)
    if stale:
        fail(f"{', '.join(path.name for path in sorted(stale))}: not what experiments.toml says; run deploy/experiments/build_experiments.py, and remove what it does not make")


main(sys.argv[1:])
