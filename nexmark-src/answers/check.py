#!/usr/bin/env python3
"""Holds what Flink answered to Nexmark's queries against what DuckDB answers on the same events.

check.py EVENTS ANSWERS [QUERY...]
check.py EVENTS --serve

EVENTS has person.csv, auction.csv and bid.csv, as `nexmark export` writes them. ANSWERS has a folder for every query, with
changelogs as the sink nexmark-changelog writes them. Ends with 1 if an answer differs or is missing.

With --serve it reads lines `QUERY FOLDER`, of folders with changelogs, and answers each with a line of JSON: {"rows": N} if the
answer is the right one, else {"differs": "how"}.
"""

import json
import sys
from pathlib import Path

import duckdb

EXPECTED = Path(__file__).parent / "expected"
UNSUPPORTED = {"q6"}
QUERIES = [f"q{n}" for n in range(24) if f"q{n}" not in UNSUPPORTED] + [f"cep{n}" for n in range(4)]
# What several expected answers begin with.
VIEWS = ["winning", "periods"]
# q12's windows are cut by the machine's clock, and what is open when the input ends is never written. So `nexmark check` has the last
# events, at least so many, come after a pause in which all windows close that others are in: the others are counted exactly, and each
# of the last at most once.
Q12_LATE = 100
Q12_EARLY_SECONDS = 5
Q12_WINDOW_MS = 10_000
Q12_WRONG = {
    "a window is not of ten seconds, from a multiple of ten on": f"""
        SELECT * FROM answer WHERE ends - starts <> {Q12_WINDOW_MS} OR starts % {Q12_WINDOW_MS} <> 0""",
    "a count is below one, or was taken back": "SELECT * FROM answer WHERE change <> 1 OR bids IS NULL OR bids < 1",
    "a person is counted twice in a window": "SELECT bidder, starts, count(*) FROM answer GROUP BY ALL HAVING count(*) > 1",
    "a person's counts do not add up to their bids (bidder, counted, early, all)": """
        SELECT bidder, coalesce(counted, 0) AS counted, early, made
        FROM (SELECT bidder, sum(bids) AS counted FROM answer GROUP BY bidder) FULL JOIN wanted USING (bidder)
        WHERE counted < coalesce(early, 0) OR counted > coalesce(made, 0)""",
}
# A row that one side has and the other has not, at most so many are shown.
SHOWN = 3


class Differs(Exception):
    """An answer is not the expected one; the text says how."""


def open_events(events: Path) -> duckdb.DuckDBPyConnection:
    database = duckdb.connect()
    database.execute("SET TimeZone = 'UTC'; SET threads = 2")
    database.execute("CREATE MACRO ms(t) AS epoch_ms(t)")
    times = {"person": ["dateTime"], "auction": ["dateTime", "expires"], "bid": ["dateTime"]}
    for kind, columns in times.items():
        to_time = ", ".join(f'make_timestamp("{column}" * 1000) AS "{column}"' for column in columns)
        texts = {
            "person": ["name", "emailAddress", "creditCard", "city", "state", "extra"],
            "auction": ["itemName", "description", "extra"],
            "bid": ["channel", "url", "extra"],
        }[kind]
        types = ", ".join(f"'{text}': 'VARCHAR'" for text in texts)
        database.execute(
            f"CREATE TABLE {kind} AS SELECT * REPLACE ({to_time}) FROM "
            f"read_csv('{events / kind}.csv', header = true, nullstr = '\\N', types = {{{types}}})"
        )
    database.execute(
        f"CREATE TABLE q12_early AS SELECT greatest(max(number) + 1 - {Q12_LATE}, 0) // {Q12_EARLY_SECONDS} * {Q12_EARLY_SECONDS} AS number"
        f" FROM (SELECT max(number) AS number FROM person UNION ALL SELECT max(number) FROM auction UNION ALL SELECT max(number) FROM bid)"
    )
    for view in VIEWS:
        database.execute(f"CREATE VIEW {view} AS {(EXPECTED / f'{view}.sql').read_text()}")
    return database


def check(database: duckdb.DuckDBPyConnection, changelogs: Path, query: str) -> int:
    """Rows of the answer, or an exception that says what is wrong with it."""
    files = [str(file) for file in sorted(changelogs.glob("*.tsv"))]
    if not files:
        raise Differs(f"no answer: {changelogs} has no *.tsv")
    database.execute(f"CREATE OR REPLACE TEMP TABLE wanted AS {(EXPECTED / f'{query}.sql').read_text()}")
    wanted = database.table("wanted").count("*").fetchall()[0][0]
    if wanted == 0:
        raise Differs("not checked: the right answer has no row; take more events")
    if query == "q12":
        return check_q12(database, files)
    columns = [f"c{i}" for i in range(len(database.table("wanted").columns))]
    listed = ", ".join(columns)
    texts = ", ".join(f"{column}::VARCHAR AS {column}" for column in columns)
    types = "".join(f", '{column}': 'VARCHAR'" for column in columns)
    database.execute(
        f"CREATE OR REPLACE TEMP TABLE difference AS "
        f"WITH answer AS (SELECT * FROM read_csv({files}, delim = '\t', header = false, quote = '', escape = '', nullstr = '\\N',"
        f" auto_detect = false, columns = {{'change': 'INTEGER'{types}}})),"
        f" changes AS (SELECT change, {texts} FROM answer"
        f"  UNION ALL SELECT -1, {texts} FROM wanted AS w({listed}))"
        f" SELECT sum(change) AS more, {listed} FROM changes GROUP BY ALL HAVING more <> 0"
    )
    different = database.table("difference").count("*").fetchall()[0][0]
    if different:
        rows = database.execute(f"SELECT * FROM difference ORDER BY ALL LIMIT {SHOWN}").fetchall()
        rows += database.execute(f"SELECT * FROM difference ORDER BY ALL DESC LIMIT {SHOWN}").fetchall()
        shown = "".join(f"\n    {row[0]:+} {row[1:]}" for row in rows)
        raise Differs(f"{different} rows differ (+: Flink has more of it, -: DuckDB):{shown}")
    return wanted


def check_q12(database: duckdb.DuckDBPyConnection, files: list[str]) -> int:
    columns = "{'change': 'BIGINT', 'bidder': 'BIGINT', 'bids': 'BIGINT', 'starts': 'BIGINT', 'ends': 'BIGINT'}"
    database.execute(
        f"CREATE OR REPLACE TEMP TABLE answer AS SELECT * FROM read_csv({files}, delim = '\t', header = false, auto_detect = false,"
        f" columns = {columns})"
    )
    for wrong, rows in Q12_WRONG.items():
        found = database.execute(f"SELECT * FROM ({rows}) ORDER BY ALL").fetchall()
        if found:
            raise Differs(f"{wrong}: {len(found)} times, {found[:SHOWN]}")
    return database.table("answer").count("*").fetchall()[0][0]


def serve(database: duckdb.DuckDBPyConnection) -> int:
    for line in sys.stdin:
        query, folder = line.rstrip("\n").split(" ", 1)
        try:
            answer = {"rows": check(database, Path(folder), query)}
        except Differs as difference:
            answer = {"differs": str(difference)}
        print(json.dumps(answer), flush=True)
    return 0


def main() -> int:
    if len(sys.argv) < 3 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 64
    events, answers, queries = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] or QUERIES
    database = open_events(events)
    if sys.argv[2] == "--serve":
        return serve(database)
    wrong = []
    for query in queries:
        try:
            print(f"{query}: {check(database, answers / query, query)} rows, as expected")
        except Differs as difference:
            wrong.append(query)
            print(f"{query}: {difference}")
    if wrong:
        print(f"wrong: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
