#!/usr/bin/env python3
"""Builds Grafana's dashboards (grafana/dashboards/*.json) from the panels in dashboards/*.toml.

Grafana's JSON says a lot of what is the same for every panel; the TOML says what is not: title, description, unit and queries.
`build_dashboards.py` writes the JSON, `build_dashboards.py --check` fails if a file is not what would be written.
"""
import json
import pathlib
import sys
import tomllib

HERE = pathlib.Path(__file__).parent
SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH, HEIGHT = 24, 8
KINDS = ("timeseries", "heatmap", "stat", "table", "state-timeline")
PANEL_KEYS = {"title", "description", "unit", "kind", "width", "stack", "max", "query"}


def fail(message):
    sys.exit(f"build_dashboards: {message}")


def variables(dashboard):
    """The data source, then one variable for each label that the dashboard filters by."""
    found = [{"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"}]
    for variable in dashboard.get("variable", []):
        if "value" in variable:
            found.append({"name": variable["name"], "label": variable["label"], "type": "textbox", "query": variable["value"]})
            continue
        found.append({
            "name": variable["name"], "label": variable["label"], "type": "query", "datasource": SOURCE,
            "query": f"label_values({variable['metric']}, {variable['of']})", "refresh": 2, "sort": 1,
            "includeAll": True, "multi": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"},
        })
    return found


def panel(number, spec, x, y, width):
    where = spec.get("title", f"panel {number}")
    unknown = spec.keys() - PANEL_KEYS
    if unknown:
        fail(f"{where}: unknown keys {sorted(unknown)}; known are {sorted(PANEL_KEYS)}")
    kind = spec.get("kind", "timeseries")
    if kind not in KINDS:
        fail(f"{where}: kind {kind!r}; expected one of {KINDS}")
    defaults = {"unit": spec.get("unit", "short"), "min": 0}
    if "max" in spec:
        defaults["max"] = spec["max"]
    if kind == "timeseries":
        stacking = {"mode": "normal" if spec.get("stack") else "none", "group": "A"}
        defaults["custom"] = {"drawStyle": "line", "fillOpacity": 10, "showPoints": "never", "stacking": stacking}
    options = {"legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull"]}, "tooltip": {"mode": "multi", "sort": "desc"}}
    if kind == "heatmap":
        options = {"calculate": False, "yAxis": {"unit": spec.get("unit", "short")}, "color": {"mode": "scheme", "scheme": "Spectral", "steps": 64}}
    elif kind == "stat":
        options = {"reduceOptions": {"calcs": ["lastNotNull"]}, "textMode": "value_and_name"}
    elif kind != "timeseries":
        options = {}
    targets = []
    for i, query in enumerate(spec["query"]):
        target = {"refId": chr(ord("A") + i), "datasource": SOURCE, "expr": query["expr"].strip(), "legendFormat": query.get("legend", "__auto")}
        if kind == "heatmap":
            target["format"] = "heatmap"
        if kind == "table":
            target |= {"format": "table", "instant": True}
        targets.append(target)
    return {
        "id": number, "type": kind, "title": spec["title"], "description": spec["description"], "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": width, "h": HEIGHT}, "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options, "targets": targets,
    }


def layout(rows):
    """Panels from left to right, each row under a heading."""
    panels, y = [], 0
    for row in rows:
        panels.append({"id": len(panels) + 1, "type": "row", "title": row["title"], "collapsed": False, "panels": [], "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}})
        x, y = 0, y + 1
        for spec in row["panel"]:
            width = spec.get("width", WIDTH // 2)
            if x + width > WIDTH:
                x, y = 0, y + HEIGHT
            panels.append(panel(len(panels) + 1, spec, x, y, width))
            x += width
        y += HEIGHT
    return panels


def build(path):
    dashboard = tomllib.loads(path.read_text())
    annotations = [
        {"name": a["name"], "datasource": SOURCE, "enable": True, "expr": a["expr"].strip(), "titleFormat": a["title"], "iconColor": a["color"], "step": "15s"}
        for a in dashboard.get("annotation", [])
    ]
    return {
        "uid": path.stem, "title": dashboard["title"], "description": dashboard["description"], "tags": ["weir"], "schemaVersion": 39, "version": 1,
        "editable": False, "refresh": "10s", "time": {"from": "now-30m", "to": "now"}, "annotations": {"list": annotations},
        "templating": {"list": variables(dashboard)}, "panels": layout(dashboard["row"]),
        "links": [{"type": "dashboards", "tags": ["weir"], "title": "Weir", "asDropdown": False, "keepTime": True}],
    }


def main(arguments):
    if arguments not in ([], ["--check"]):
        fail(f"unknown arguments {arguments}; expected none, or --check")
    stale = []
    for path in sorted(HERE.glob("dashboards/*.toml")):
        text = json.dumps(build(path), indent=1) + "\n"
        target = HERE / "grafana" / "dashboards" / f"{path.stem}.json"
        if arguments:
            if not target.exists() or target.read_text() != text:
                stale.append(target.name)
        else:
            target.write_text(text)
    if stale:
        fail(f"{', '.join(stale)}: not what monitoring/dashboards/ says; run monitoring/build_dashboards.py")


main(sys.argv[1:])
