#!/usr/bin/env bash
# Stock clevis and cvm-clevis on the same bytes, with Debian's own peers: tangd under socat, swtpm on a socket, cryptsetup.
# What one seals, the other opens; what one binds, the other lists, opens and removes. Every case prints a line; the first
# failure ends it, and so does a tool that is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh

PATH=${PROGRAMS:-$(swift build --show-bin-path)}:$PATH
export PATH
work=$(mktemp -d)
# The pins see neither the machine's TPM nor anybody's defaults.
no_tpm=swtpm:path=$work/none
export XDG_CONFIG_HOME=$work/owner TPM2TOOLS_TCTI=$no_tpm
passed=0
. Tests/peers.sh
trap 'stop_peers; rm -rf "$work"' EXIT

for tool in cvm-clevis clevis clevis-luks-bind clevis-encrypt-tpm2 jose socat swtpm swtpm_setup tpm2_pcrextend cryptsetup \
    strace python3 /usr/libexec/tangd /usr/libexec/tangd-keygen; do
    command -v "$tool" >/dev/null || die "$tool is missing: run scripts/setup --tests"
done

printf 'a secret of thirty-two characters' >"$work/secret"

# refuse NAME PATTERN COMMAND…: it must fail with status 1 and one line that matches, and answer nothing.
refuse() {
    local name=$1 pattern=$2 status=0
    shift 2
    "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" = 1 ] || { cat "$work/err" >&2; die "$name: exit status $status, not 1: $*"; }
    grep -Ev '^cvm-clevis: hint: ' "$work/err" >"$work/said" || true
    [ "$(wc -l <"$work/said")" = 1 ] || { cat "$work/err" >&2; die "$name: said more or less than one line"; }
    grep -Eq -- "$pattern" "$work/said" || { cat "$work/said" >&2; die "$name: the line above does not match $pattern"; }
    [ ! -s "$work/out" ] || die "$name: wrote to standard output"
    ok "$name"
}

# fails NAME COMMAND…: it must fail; how is stock clevis' business.
fails() {
    local name=$1
    shift
    if "$@" >"$work/out" 2>"$work/err"; then die "$name: did not fail: $*"; fi
    ok "$name"
}

# stock COMMAND…: a command of stock clevis; what it leaves loaded in a TPM, which has no resource manager here, is flushed.
stock() {
    local status=0
    "$@" || status=$?
    [ "$TPM2TOOLS_TCTI" = "$no_tpm" ] || { tpm2_flushcontext -l && tpm2_flushcontext -t; } || return 1
    return $status
}

ours_opens() { cvm-clevis decrypt <"$1" | cmp - "$work/secret"; }
stock_opens() { stock clevis decrypt <"$1" | cmp - "$work/secret"; }

# both_open NAME PIN CONFIG: what either seals, the other opens.
both_open() {
    cvm-clevis encrypt "$2" "$3" <"$work/secret" >"$work/ours.jwe" || die "$1: we cannot seal"
    stock clevis encrypt "$2" "$3" <"$work/secret" >"$work/stock.jwe" || die "$1: stock clevis cannot seal"
    expect "stock clevis opens ours: $1" stock_opens "$work/ours.jwe"
    expect "we open stock clevis': $1" ours_opens "$work/stock.jwe"
}

for part in tang tpm2 sss luks processes external; do
    note "$part"
    # shellcheck source=/dev/null
    . "Tests/Interop/$part.sh"
done

printf '%d passed, 0 failed\n' "$passed"
