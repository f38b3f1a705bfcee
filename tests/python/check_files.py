"""Holds the files of a run's stages against `docs/records.md`, and the formats against each other.

    python check_files.py outputs/20260101_120000/model

Every column that the document lists must be in the file, with that type and nullability, in that order,
and no other. The CSV, JSONL and SQLite files must hold the records of `requests.parquet`, value by value.
"""

import csv
import json
import pathlib
import re
import sqlite3
import sys

import duckdb
import pyarrow.parquet

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "docs" / "records.md"
TABLES = {"requests.parquet": "columns", "timeline.parquet": "timeline columns"}


def documented(table):
    """[(name, type, whether it may be null)], as the document says."""
    text = DOCUMENT.read_text()
    text = re.search(rf"<!-- {table}: .*?-->\n(.*?)<!-- end of {table} -->", text, re.DOTALL).group(1)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()[2:]]
    return [(name.strip("`"), kind, null == "yes") for name, kind, _, null, _ in rows]


def actual(file):
    """The same, as the file says to DuckDB (types) and to Arrow (nullability)."""
    types = duckdb.execute("DESCRIBE SELECT * FROM read_parquet($file)", {"file": str(file)}).fetchall()
    nullable = {field.name: field.nullable for field in pyarrow.parquet.read_schema(file)}
    return [(name, kind, nullable[name]) for name, kind, *_ in types]


def plain(value):
    """A value of Arrow as JSON has it."""
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return dict(value)
    return value


def nested(kind):
    return kind.endswith("[]") or kind.startswith("MAP")


def from_text(text, kind):
    """A cell of the CSV file."""
    if nested(kind):
        return json.loads(text) if text else None
    if text == "":
        return None
    if kind == "BOOLEAN":
        return {"true": True, "false": False}[text]
    return {"VARCHAR": str, "INTEGER": int, "BIGINT": int, "DOUBLE": float}[kind](text)


def from_sqlite(value, kind):
    if value is None:
        return None
    if nested(kind):
        return json.loads(value)
    return bool(value) if kind == "BOOLEAN" else value


def check_formats(folder, columns):
    """How many records were compared."""
    kinds = {name: kind for name, kind, _ in columns}
    rows = pyarrow.parquet.read_table(folder / "requests.parquet").to_pylist()
    rows = [{name: plain(value) for name, value in row.items()} for row in rows]
    for row in rows:
        row["labels"] = row["labels"] or {}
    with open(folder / "requests.jsonl") as lines:
        by_json = [json.loads(line) for line in lines]
    assert by_json == rows, "requests.jsonl"
    with open(folder / "requests.csv", newline="") as lines:
        by_csv = [{name: from_text(text, kinds[name]) for name, text in row.items()}
                  for row in csv.DictReader(lines)]
    # An empty text and null are the same in CSV.
    texts = [name for name, kind in kinds.items() if kind == "VARCHAR"]
    assert by_csv == [{**row, **{name: row[name] or None for name in texts}} for row in rows], "requests.csv"
    database = sqlite3.connect(folder / "requests.sqlite")
    database.row_factory = sqlite3.Row
    by_sqlite = [{name: from_sqlite(row[name], kinds[name]) for name in row.keys()}
                 for row in database.execute("SELECT * FROM requests")]
    assert by_sqlite == rows, "requests.sqlite"
    metadata = dict(database.execute("SELECT key, value FROM metadata").fetchall())
    assert json.loads(metadata["tickrate.stage"])["name"] == folder.name, metadata
    return 3 * len(rows)


def main():
    folder = pathlib.Path(sys.argv[1])
    stages = sorted(file.parent for file in folder.rglob("requests.parquet"))
    columns = records = 0
    for stage in stages:
        for name, table in TABLES.items():
            told, found = documented(table), actual(stage / name)
            missing, surplus = set(told) - set(found), set(found) - set(told)
            assert told == found, f"{name}: documented only {missing}, in the file only {surplus}"
            columns += len(found)
        records += check_formats(stage, documented("columns"))
    print(f"{len(stages)} stages: {columns} columns as documented, {records} records the same")


if __name__ == "__main__":
    main()
