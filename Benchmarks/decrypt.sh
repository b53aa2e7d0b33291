#!/usr/bin/env bash
# How long it takes to decrypt an sss with t=2 of one snp-attest and one null: a report from the simulated platform, the
# broker's work on loopback with TLS, and everything else a whole process does. Release programs, 20 runs; for scale, the
# same without attestation.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

scripts/setup --tests
build_release
export PATH="$PROGRAMS:$PATH"
work=$(mktemp -d)
trap 'stop_broker; rm -rf "$work"' EXIT
export XDG_CONFIG_HOME=$work/owner
prepare_owner "$work"
printf 'a secret' | cvm-clevis encrypt sss '{"t":2,"pins":{"snp-attest":{},"null":{}}}' >"$work/attested.jwe"
printf 'a secret' | cvm-clevis encrypt sss '{"t":2,"pins":{"null":[{},{}]}}' >"$work/plain.jwe"
cvm-tee-sim run --tee snp -- hyperfine --warmup 3 --runs 20 --export-json "$work/result.json" --style basic \
    "cvm-clevis decrypt <$work/attested.jwe" >/dev/null
hyperfine --warmup 3 --runs 20 --export-json "$work/plain.json" --style basic \
    "cvm-clevis decrypt <$work/plain.jwe" >/dev/null
python3 - "$work/result.json" "$work/plain.json" <<'P'
import json
import sys

for name, path in zip(("sss of snp-attest and null", "sss of null and null"), sys.argv[1:]):
    result = json.load(open(path))["results"][0]
    print(f"{name}: median {1000 * result['median']:.1f} ms, min {1000 * result['min']:.1f} ms of {len(result['times'])} runs")
P
