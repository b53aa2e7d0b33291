#!/usr/bin/env bash
# cvm-clevis beside Debian's clevis: the same messages and volumes, tangd under socat on loopback, swtpm on a socket; medians
# of hyperfine, in one run. Then where the milliseconds of ours go. Trust the ratios more than the values, and neither on a
# machine that does something else. RUNS is the number of runs of each command.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
. Tests/peers.sh

if [ -z "${PROGRAMS:-}" ]; then
    scripts/setup --tests
    scripts/release-build --product cvm-clevis
    PROGRAMS=$(scripts/release-build --show-bin-path)
fi
export PATH="$PROGRAMS:$PATH"
runs=${RUNS:-20}
work=$(mktemp -d)
trap 'stop_peers; rm -rf "$work"' EXIT
export XDG_CONFIG_HOME=$work/owner

start_tang one
tang1="{\"url\":\"$TANG_URL\",\"thp\":\"$(thumbprint one)\"}"
start_tang two
tang2="{\"url\":\"$TANG_URL\",\"thp\":\"$(thumbprint two)\"}"
start_tang gone
gone="{\"url\":\"$TANG_URL\",\"thp\":\"$(thumbprint gone)\"}"
gone_pid=$TANG_PID
start_tpm tpm

seal() { # seal NAME PIN CONFIG: a message by stock clevis in $work/NAME.jwe
    printf 'a secret of thirty-two characters' | clevis encrypt "$2" "$3" >"$work/$1.jwe"
}
seal null null '{}'
seal tang tang "$tang1"
seal tpm2 tpm2 '{}'
seal sss sss "{\"t\":3,\"pins\":{\"tang\":[$tang1,$tang2],\"tpm2\":{}}}"
seal gone tang "$gone"
kill "$gone_pid"

passphrase=$work/passphrase
printf 'correct horse' >"$passphrase"
make_image "$work/plain.img" "$passphrase" >/dev/null
cp "$work/plain.img" "$work/bound.img"
for _ in 1 2 3; do clevis luks bind -f -k "$passphrase" -d "$work/bound.img" tang "$tang1"; done

# time_all NAME [hyperfine options] COMMAND…: hyperfine takes the time of its shell off; what is read is redirected there.
time_all() {
    # Its warnings are about commands that are fast and, below, fail.
    hyperfine --warmup 2 --runs "$runs" --style none --export-json "$work/$1.json" "${@:2}" >/dev/null 2>"$work/warnings" ||
        { cat "$work/warnings" >&2; die "hyperfine: $1"; }
}
for name in tang tpm2 sss; do
    time_all "decrypt-$name" "exec cvm-clevis decrypt <$work/$name.jwe" "exec clevis decrypt <$work/$name.jwe"
done
time_all bind --prepare "cp $work/plain.img $work/disk.img" \
    "exec cvm-clevis luks bind -d $work/disk.img -k $passphrase tang '$tang1'" \
    "exec clevis luks bind -f -d $work/disk.img -k $passphrase tang '$tang1'"
time_all list "exec cvm-clevis luks list -d $work/bound.img" "exec clevis luks list -d $work/bound.img"

# What is ours alone: each step adds a part. The last two fail, after all that comes before their peer.
time_all parts --ignore-failure "exec true" "exec openssl rand 1" "exec cvm-clevis decrypt <$work/null.jwe" \
    "exec cvm-clevis decrypt <$work/gone.jwe" \
    "TPM2TOOLS_TCTI=swtpm:path=$work/none exec cvm-clevis decrypt <$work/tpm2.jwe"
# How long the peers take, as the kernel sees it: from asking to the first byte of the answer.
strace -f -T -e trace=poll,read,recvfrom,recvmsg -o "$work/tang.trace" cvm-clevis decrypt <"$work/tang.jwe" >/dev/null
strace -f -T -e trace=poll,read,recvfrom,recvmsg -o "$work/tpm2.trace" cvm-clevis decrypt <"$work/tpm2.jwe" >/dev/null

python3 - "$work" <<'P'
import json
import re
import sys

work = sys.argv[1]


def medians(name):
    return [1000 * result["median"] for result in json.load(open(f"{work}/{name}.json"))["results"]]


def waiting(name):
    """Milliseconds spent in calls that wait for a peer; what takes less than 0.1 ms did not wait."""
    spent = [float(found) for found in re.findall(r"<(\d+\.\d+)>$", open(f"{work}/{name}.trace").read(), re.MULTILINE)]
    return 1000 * sum(time for time in spent if time > 0.0001)


print(f"{'':32}{'ours, ms':>10}{'clevis, ms':>12}{'ratio':>8}{'wanted':>8}")
for name, label, wanted in (
    ("decrypt-tang", "decrypt tang", 8),
    ("decrypt-tpm2", "decrypt tpm2", 15),
    ("decrypt-sss", "decrypt sss of two tang, a tpm2", 15),
    ("bind", "luks bind tang", 8),
    ("list", "luks list, three bindings", 30),
):
    ours, clevis = medians(name)
    print(f"{label:32}{ours:10.1f}{clevis:12.1f}{clevis / ours:8.1f}{wanted:8}")

process, openssl, null, gone, no_tpm = medians("parts")
tang, tpm2 = medians("decrypt-tang")[0], medians("decrypt-tpm2")[0]
server, tpm = waiting("tang"), waiting("tpm2")
print("\nwhere ours go, ms")
for label, time in (
    ("a process", process),
    ("libcrypto, loaded and started", openssl - process),
    ("the rest of what is loaded, and the JWE", null - openssl),
    ("tang: points on the curve", gone - null),
    ("tang: the server, from being asked on", server),
    ("tang: the rest", tang - gone - server),
    ("tpm2: tss2, loaded", no_tpm - null),
    ("tpm2: the TPM", tpm),
    ("tpm2: the rest, most of it libtss2-esys' cryptography", tpm2 - no_tpm - tpm),
):
    print(f"  {label:56}{time:6.1f}")
P
