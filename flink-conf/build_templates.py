#!/usr/bin/env python3
"""Builds Flink's configuration templates, one for every Flink line, memory mode and purpose, from settings.toml.

`build_templates.py` writes LINE/MODE-PURPOSE.yaml and LINE/demo.yaml; `build_templates.py --check` fails if a file is not what would be
written, or is there and would not be.
"""
import pathlib
import sys
import textwrap
import tomllib

HERE = pathlib.Path(__file__).parent
SETTING_KEYS = {"key", "value", "why", "lines", "modes", "purposes"}
DEMO_MODE = "per-operator"


def fail(message):
    sys.exit(f"build_templates: {message}")


def checked(source):
    known = {"lines": source["lines"], "modes": source["modes"], "purposes": list(source["purposes"])}
    for section in source["section"]:
        for setting in section["settings"]:
            key = setting.get("key", "a setting without key")
            if unknown := setting.keys() - SETTING_KEYS:
                fail(f"{key}: unknown {sorted(unknown)}; known are {sorted(SETTING_KEYS)}")
            for name, names in known.items():
                if wrong := set(setting.get(name, names)) - set(names):
                    fail(f"{key}: no such {name}: {sorted(wrong)}; there are {names}")
            if isinstance(setting["value"], dict):
                choices = {"default", *known["modes"], *known["purposes"]}
                if wrong := setting["value"].keys() - choices:
                    fail(f"{key}: the value has a case for {sorted(wrong)}, which is neither mode nor purpose")
    return source


def value_of(setting, mode, purpose):
    value = setting["value"]
    if not isinstance(value, dict):
        return value
    for case in (purpose, mode, "default"):
        if case in value:
            return value[case]
    fail(f"{setting['key']}: no value for mode {mode}, purpose {purpose}")


def template(source, line, mode, purpose):
    used = {}
    text = [f"# Flink {line} with Weir, memory mode {mode}: {source['purposes'][purpose]}.", "# Made from flink-conf/settings.toml by build_templates.py: change it there."]
    for section in source["section"]:
        lines = []
        for setting in section["settings"]:
            applies = line in setting.get("lines", [line]) and mode in setting.get("modes", [mode]) and purpose in setting.get("purposes", [purpose])
            if not applies:
                continue
            key = setting["key"]
            if key in used:
                fail(f"{key} stands twice in {line}/{mode}-{purpose}: under {used[key]} and under {section['title']}")
            used[key] = section["title"]
            if "why" in setting:
                lines += textwrap.wrap(setting["why"], 130, initial_indent="# ", subsequent_indent="# ")
            lines.append(f"{key}: {value_of(setting, mode, purpose)}")
        if lines:
            text += ["", f"# --- {section['title']} {'-' * (120 - len(section['title']))}", *lines]
    return "\n".join(text) + "\n"


def files(source):
    for line in source["lines"]:
        yield HERE / line / "demo.yaml", template(source, line, DEMO_MODE, "demo")
        for mode in source["modes"]:
            for purpose in source["purposes"]:
                if purpose != "demo":
                    yield HERE / line / f"{mode}-{purpose}.yaml", template(source, line, mode, purpose)


def main(arguments):
    if arguments not in ([], ["--check"]):
        fail(f"unknown arguments {arguments}; expected none, or --check")
    wanted = dict(files(checked(tomllib.loads((HERE / "settings.toml").read_text()))))
    stale = [path for path in HERE.glob("*/*.yaml") if path not in wanted]
    for path, text in wanted.items():
        if arguments and (not path.exists() or path.read_text() != text):
            stale.append(path)
        elif not arguments:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    if stale:
        names = ", ".join(str(path.relative_to(HERE)) for path in sorted(stale))
        fail(f"{names}: not what settings.toml says; run flink-conf/build_templates.py, and remove what it does not make")


main(sys.argv[1:])
