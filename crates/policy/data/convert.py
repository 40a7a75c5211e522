#!/usr/bin/env python3
"""Turns the npm package mcc-mnc-list's JSON into networks.tsv. Usage: convert.py mcc-mnc-list.json"""
import json
import sys
from pathlib import Path

# One ISO country for what the list names as several: the one whose regulator holds the code.
ONE = {"BL/GF/GP/MF/MQ": "GP", "BQ/CW/SX": "CW", "AU/CC/CX": "AU", "GE-AB": "GE", "YT/RE": "RE"}

rows = set()
for n in json.load(open(sys.argv[1], encoding="utf-8")):
    mcc, mnc = n["mcc"] or "", n["mnc"] or ""
    if not (mcc.isdigit() and len(mcc) == 3 and mnc.isdigit() and len(mnc) in (2, 3)):
        continue
    iso = n["countryCode"] or ""
    iso = ONE.get(iso, iso.split("/")[0].split("-")[0])
    name = n["brand"] or n["operator"] or ""
    operator = n["operator"] or ""
    clean = lambda s: " ".join((s or "").split())
    label = name if name == operator or not operator else f"{name} ({operator})"
    rows.add((mcc, mnc, iso, clean(n["countryName"]), clean(label), clean(n["status"])))
out = Path(__file__).with_name("networks.tsv")
with out.open("w", encoding="utf-8") as f:
    for row in sorted(rows):
        f.write("\t".join(row) + "\n")
print(len(rows), "rows")
