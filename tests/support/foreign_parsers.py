"""Reads FEC files with three parsers that share no code with ours, and prints what each makes of them: cents a line, and the
cover's. `python3 foreign_parsers.py FILE...` writes one JSON object a file; a check of `hardmoney` that fails is in it."""

import json
import sys
from decimal import Decimal

import fastfec
import fecfile
import hardmoney

AMOUNTS = ("contribution_amount", "expenditure_amount")


def cents(value):
    """Whole cents of whatever a parser has for a sum; floats are rounded, for two of them have nothing else."""
    return int((Decimal(str(value)) * 100).to_integral_value())


def columns(fields):
    """Cover sums by their place, since each parser names them in its own way."""
    return [cents(value) for name, value in fields if name.startswith("col_") and value not in (None, "")]


def ours(lines):
    return {key: value for key, value in sorted(lines)}


def by_hardmoney(path):
    filing = hardmoney.parse_file(path)
    lines = []
    for line in filing.lines:
        for field in AMOUNTS:
            if field in line.keys() and line[field]:
                lines.append((line["transaction_id"], cents(line[field])))
    validation = filing.validate()
    said = {"lines": ours(lines), "errors": [str(error) for error in validation.errors]}
    if filing.form_type.startswith("F3"):
        reconciliation = filing.reconcile()
        said["mismatches"] = [str(check) for check in reconciliation.mismatches()]
        said["review"] = [str(observation) for observation in filing.review().observations]
        said["cover"] = columns([(name, filing.summary[name]) for name in filing.summary.keys()])
    return said


def by_fecfile(path):
    filing = fecfile.from_file(path)
    lines = []
    for schedule in filing["itemizations"].values():
        for line in schedule:
            for field in AMOUNTS:
                if line.get(field) is not None:
                    lines.append((line.get("transaction_id") or line.get("transaction_id_number"), cents(line[field])))
    return {"lines": ours(lines), "cover": columns(filing["filing"].items())}


def by_fastfec(path):
    lines, cover = [], []
    with open(path, "rb") as file, fastfec.FastFEC() as parser:
        for form, line in parser.parse(file):
            if form.startswith("F3"):
                cover = columns(line.items())
            for field in AMOUNTS:
                if line.get(field) is not None:
                    lines.append((line.get("transaction_id") or line.get("transaction_id_number"), cents(line[field])))
    return {"lines": ours(lines), "cover": cover}


for path in sys.argv[1:]:
    read = {"hardmoney": by_hardmoney(path), "fecfile": by_fecfile(path), "fastfec": by_fastfec(path)}
    print(json.dumps({"path": path, **read}))
