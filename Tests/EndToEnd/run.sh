#!/usr/bin/env bash
# The programs as a person uses them, with real peers: a broker on loopback, a server that behaves as Trustee does, simulated SEV-SNP and TDX
# guests, stock clevis, cryptsetup, tangd, swtpm. Needs root (a private mount namespace) and /dev/fuse. Every case prints a line; the first failure
# ends it. Arguments: the files of cases to run, by their names without .sh; all by default.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. Tests/peers.sh

PATH=${PROGRAMS:-$(swift build --show-bin-path)}:$PATH
export PATH
work=$(mktemp -d)
trap 'stop_broker; stop_peers; rm -rf "$work"' EXIT
passed=0
# What must not change while something is refused; the cases say which.
disk=/dev/null

# reject NAME PATTERN COMMAND…: it must fail with status 1, say why in one line that matches (a hint may stand beside it),
# answer nothing, and leave the disk as it was.
reject() { fails 1 "$@"; }

# unavailable NAME PATTERN COMMAND…: the same with status 3: another attempt may succeed.
unavailable() { fails 3 "$@"; }

# misuse NAME PATTERN COMMAND…: the same with status 2.
misuse() { fails 2 "$@"; }

fails() {
    local wanted=$1 name=$2 pattern=$3 status=0 before after
    shift 3
    before=$(cksum "$disk")
    "$@" >"$work/out" 2>"$work/err" || status=$?
    after=$(cksum "$disk")
    [ "$status" = "$wanted" ] || { cat "$work/err" >&2; die "$name: exit status $status, not $wanted: $*"; }
    grep -Ev '^cvm-clevis(-unlock|-broker)?: hint: ' "$work/err" >"$work/said" || true
    [ "$(wc -l <"$work/said")" = 1 ] || { cat "$work/err" >&2; die "$name: said more or less than one line"; }
    grep -Eq -- "$pattern" "$work/said" || { cat "$work/said" >&2; die "$name: the line above does not match $pattern"; }
    [ ! -s "$work/out" ] || die "$name: wrote to standard output"
    [ "$before" = "$after" ] || die "$name: changed the disk"
    ok "$name"
}

guest() { cvm-tee-sim run --tee snp "$@"; }
tdx_guest() { cvm-tee-sim run --tee tdx "$@"; }

[ $# -gt 0 ] || set -- cases drop-in tpm change fronts sev rotate kbs
for cases in "$@"; do
    # shellcheck source=/dev/null
    . "Tests/EndToEnd/$cases.sh"
done

printf '%d passed, 0 failed\n' "$passed"
