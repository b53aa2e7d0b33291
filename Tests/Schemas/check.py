#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the published JSON Schemas against the documents that the readers accept and refuse (Tests/Vectors)."""
import json
import pathlib
import sys

import jsonschema

root = pathlib.Path(__file__).resolve().parents[2]
# Schema, and the file with `accepted` documents and `refused` ones, each {"at": …, "policy": …}.
pairs = [
    ("docs/spec/policy.schema.json", "Tests/Vectors/snp-policies.json"),
    ("docs/spec/tdx-policy.schema.json", "Tests/Vectors/tdx-policies.json"),
]


def complaints(schema_path, cases_path):
    """Every document that the schema judges otherwise than the reader."""
    schema = json.loads((root / schema_path).read_text())
    cases = json.loads((root / cases_path).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for document in cases["accepted"]:
        error = jsonschema.exceptions.best_match(validator.iter_errors(document))
        if error:
            yield f"refuses {json.dumps(document)[:200]}: {error.message[:200]}"
    for case in cases["refused"]:
        if validator.is_valid(case["policy"]):
            yield f"accepts a wrong {case['at']}: {json.dumps(case['policy'])[:200]}"


failed = [f"{schema}: {complaint}" for schema, cases in pairs for complaint in complaints(schema, cases)]
print("\n".join(failed) or f"{len(pairs)} schema(s) agree with the readers")
sys.exit(1 if failed else 0)
