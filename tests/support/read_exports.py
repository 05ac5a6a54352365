"""Reads our files as people's programs do: Python's csv, pandas, openpyxl, LibreOffice. Prints what each of them sees, as JSON."""

import csv
import json
import pathlib
import re
import subprocess
import sys
from decimal import Decimal

import openpyxl
import pandas

folder = pathlib.Path(sys.argv[1])


def cents(value):
    return int((Decimal(str(value)) * 100).to_integral_exact())


def is_day(text):
    return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", str(text)[:10]))


def told(rows, kind, amount, first, last, day):
    """What a table says: sums of donations and refunds, the donors' names, whether days are days."""
    gifts = [row for row in rows if row[kind] == "donation"]
    refunds = [row for row in rows if row[kind] == "refund"]
    return {
        "donations_cents": sum(cents(row[amount]) for row in gifts),
        "refunds_cents": sum(cents(row[amount]) for row in refunds),
        "names": [f"{row[first]}|{row[last]}" for row in gifts],
        "days": all(is_day(row[day]) for row in gifts),
    }


out = {}
plain = ("kind", "amount", "first_name", "last_name", "day")
with open(folder / "donations.csv", newline="", encoding="utf-8") as file:
    out["csv"] = told(list(csv.DictReader(file, strict=True)), *plain)
frame = pandas.read_csv(folder / "donations.csv", dtype={"amount": str}, keep_default_na=False)
out["pandas"] = told(frame.to_dict("records"), *plain)

titled = ("Kind", "Amount", "First name", "Last name", "Day")
sheet = openpyxl.load_workbook(folder / "donations.xlsx")["Donations"]
head, *rows = sheet.iter_rows(values_only=True)
rows = [dict(zip(head, row)) for row in rows]
out["openpyxl"] = told(rows, *titled)
out["openpyxl"]["types"] = [type(rows[0][name]).__name__ for name in ("Event", "Received (UTC)", "Day", "Amount")]

# Another profile than anybody's own, and no window. LibreOffice writes what it shows, by its locale.
profile = (folder / "profile").as_uri()
subprocess.run(
    ["soffice", "--headless", f"-env:UserInstallation={profile}", "--convert-to",
     "fods", "--outdir", folder, folder / "donations.xlsx"],
    check=True, capture_output=True, timeout=240, env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"},
)
text = (folder / "donations.fods").read_text(encoding="utf-8")
subprocess.run(
    ["soffice", "--headless", f"-env:UserInstallation={profile}", "--convert-to",
     'csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,1', "--outdir", folder, folder / "donations.xlsx"],
    check=True, capture_output=True, timeout=240, env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "LANG": "C.UTF-8"},
)
made = next(path for path in folder.glob("donations*.csv") if path.name != "donations.csv")
with open(made, newline="", encoding="utf-8") as file:
    rows = list(csv.DictReader(file))
for row in rows:
    row["Amount"] = row["Amount"].replace(",", "")
out["libreoffice"] = told(rows, *titled)
out["libreoffice"]["formulas"] = text.count("table:formula=")

for name in ("paid", "refunded", "recurring"):
    with open(folder / f"{name}.csv", newline="", encoding="utf-8") as file:
        reader = csv.reader(file, strict=True)
        head = next(reader)
        rows = list(reader)
    at = head.index("Amount")
    out[name] = {"columns": len(head), "rows": len(rows), "cents": sum(cents(row[at]) for row in rows)}

print(json.dumps(out))
