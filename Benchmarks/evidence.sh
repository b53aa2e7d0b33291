#!/usr/bin/env bash
# What verifying evidence costs beside the signatures in it, as ratios of processor time within one run; fails when one is
# over its bar. Release program, simulated platforms.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup --tests
swift build -c release --product evidence-benchmark
"$(swift build -c release --show-bin-path)/evidence-benchmark"
