#!/usr/bin/env python3
"""Runs a Nexmark query from Python: tables, source and SQL are those of the Nexmark JAR, the job is submitted by PyFlink.

    python3 -m venv venv && venv/bin/pip install apache-flink==1.20.3        # the version of your cluster
    venv/bin/python scripts/nexmark_pyflink.py --query q18 --events 100000 --sink-set connector=print

Without --conf it runs in a small Flink of its own; on a cluster with --conf execution.target=remote --conf rest.address=HOST --conf rest.port=8081.
A query of your own in Python takes the same: `tables()` below gives person, auction and bid to any TableEnvironment.
"""

import argparse
import sys
import zipfile
from pathlib import Path

SHAPES = {"stream": "events", "keyed": "keyed"}

# The keyed sources go through event time together, as io.weir.nexmark.Alignment has it for the default rate.
ALIGNMENT = {
    "scan.watermark.alignment.group": "nexmark-events",
    "scan.watermark.alignment.max-drift": "100 s",
    "scan.watermark.alignment.update-interval": "50 ms",
}


def pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text} is not of the form key=value")
    return key, value


def find_jar() -> Path | None:
    """Built here, or beside this script's folder in the tarball."""
    root = Path(__file__).resolve().parent.parent
    found = [jar for folder in ("nexmark-src/target", "nexmark") for jar in root.joinpath(folder).glob("nexmark-flink-*.jar")]
    return found[0] if len(found) == 1 else None


def script(jar: Path, name: str, placeholder: str, value: str) -> list[str]:
    """The statements of an SQL file in the JAR, with its placeholder filled in."""
    with zipfile.ZipFile(jar) as files:
        text = files.read(f"sql/{name}.sql").decode()
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    statements = "\n".join(lines).replace(placeholder, value).split(";")
    return [statement.strip() for statement in statements if statement.strip()]


def assignments(options: list[tuple[str, str]]) -> str:
    def quoted(text: str) -> str:
        return "'" + text.replace("'", "''") + "'"

    return ", ".join(f"{quoted(key)} = {quoted(value)}" for key, value in options)


def tables(environment, jar: Path, shape: str, options: list[tuple[str, str]]) -> None:
    """Declares person, auction and bid."""
    completed = {**(ALIGNMENT if shape == "keyed" else {}), **dict(options)}
    filled = "".join(f", {assignments([option])}" for option in completed.items())
    for statement in script(jar, SHAPES[shape], "${options}", filled) + script(jar, "more", "${options}", ""):
        environment.execute_sql(statement)


class Parser(argparse.ArgumentParser):
    """Ends with 64 if it is used wrongly, as all programs here do."""

    def error(self, message: str):
        self.print_usage(sys.stderr)
        self.exit(64, f"{self.prog}: {message}; see {self.prog} --help\n")


def main() -> int:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--query", default="q18", help="such as q18 or cep0 (default q18)")
    parser.add_argument("--events", type=int, default=100_000, help="0: no end (default 100000)")
    parser.add_argument("--tables", choices=SHAPES, default="stream", help="shape of the tables (default stream)")
    parser.add_argument("--jar", type=Path, default=find_jar(), help="the Nexmark JAR (default: the one built or unpacked here)")
    parser.add_argument("--set", type=pair, action="append", default=[], metavar="OPTION=VALUE", help="an option of the event generator")
    parser.add_argument("--sink-set", type=pair, action="append", default=[], metavar="OPTION=VALUE",
                        help="an option of the table that takes the answer (default connector=blackhole)")
    parser.add_argument("--conf", type=pair, action="append", default=[], metavar="KEY=VALUE", help="a key of Flink's")
    arguments = parser.parse_args()
    if arguments.jar is None or not arguments.jar.exists():
        parser.error("no Nexmark JAR here; name one with --jar, scripts/build_nexmark.sh builds it")
    try:
        from pyflink.table import EnvironmentSettings, TableEnvironment
    except ImportError:
        parser.error("PyFlink is not installed for this Python; pip install apache-flink, in the version of your Flink")

    environment = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    configuration = environment.get_config()
    configuration.set("pipeline.jars", arguments.jar.resolve().as_uri())
    configuration.set("pipeline.name", f"Nexmark {arguments.query} from Python")
    for key, value in arguments.conf:
        configuration.set(key, value)
    tables(environment, arguments.jar, arguments.tables, [("events.num", str(arguments.events)), *arguments.set])
    try:
        statements = script(arguments.jar, arguments.query, "${sink}", assignments(arguments.sink_set or [("connector", "blackhole")]))
    except KeyError:
        parser.error(f"there is no query {arguments.query} in {arguments.jar}")
    if len(statements) != 2:
        parser.error(f"Flink SQL cannot express {arguments.query}")
    sink, insert = statements
    environment.execute_sql(sink)
    environment.execute_sql(insert).wait()
    print(f"{arguments.query}: {arguments.events or 'all'} events read")
    return 0


if __name__ == "__main__":
    sys.exit(main())
