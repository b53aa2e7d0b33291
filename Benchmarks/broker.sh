#!/usr/bin/env bash
# What a broker does on one core beside what that core's libcrypto does: handshakes over connections that are kept and over new ones,
# their times at 70 % of that load, what a thousand idle and slow connections cost the others, and memory over many handshakes.
# broker.sh [SECONDS [HANDSHAKES]]. The broker has the first core, its guests the second. Rates are also given by the broker's processor time, as
# openssl speed gives its own: those mean something on a machine that does other things as well.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-20}
many=${2:-200000}
guests=24

scripts/setup --tests
for product in cvm-clevis-broker cvm-tee-sim broker-load; do scripts/release-build --product "$product"; done
PATH=$(scripts/release-build --show-bin-path):$PATH
work=$(mktemp -d)
jobs=()
# shellcheck disable=SC2317 # called by the trap
finish() {
    [ ${#jobs[@]} = 0 ] || kill "${jobs[@]}" 2>/dev/null || true
    wait
    rm -rf "$work"
}
trap finish EXIT

cvm-clevis-broker init "$work/broker" >/dev/null
cvm-tee-sim trust "$work/trust" >/dev/null
broker-load prepare "$work/broker/public.json" "$work"
cvm-clevis-broker owner add "$work/broker" owner "$work/owner.jwk" >/dev/null
taskset -c 0 cvm-clevis-broker serve "$work/broker" --listen 127.0.0.1:0 --amd-kds off --intel-pcs off --trust-simulator "$work/trust" \
    --client-rate 0 --client-connections 0 --connections 8192 >"$work/out" 2>/dev/null &
broker=$!
jobs+=("$broker")
for _ in $(seq 100); do grep -q listening "$work/out" && break; sleep 0.1; done
url=$(sed -n 's/^listening on //p' "$work/out")

ticks() { awk '{ print $14 + $15 }' "/proc/$broker/stat"; }
memory() { awk '/^VmRSS/ { print $2 }' "/proc/$broker/status"; }
member() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"; }
# measure NAME ARGUMENTS: a line of figures; sets rate, and efficiency: handshakes by a second of the broker's processor time.
measure() {
    local name=$1 before figures
    shift
    before=$(ticks)
    figures=$(taskset -c 1 broker-load run "$work/broker/public.json" "$work" "$url" "$@")
    rate=$(member per_second <<<"$figures")
    # It works for a second before it counts.
    efficiency=$(awk -v all="$(($(member handshakes <<<"$figures") * ($2 + 1) / $2))" -v ticks="$(($(ticks) - before))" \
        -v hertz="$(getconf CLK_TCK)" 'BEGIN { print int(all / (ticks + 1) * hertz) }')
    printf '%-24s %s by a second of processor time, %s %% of libcrypto\n  %s\n' "$name" "$efficiency" \
        $((efficiency * 100 / verifications)) "$figures"
}

verifications=$(taskset -c 0 openssl speed -seconds 3 ecdsap384 2>/dev/null | awk '/nistp384/ { print int($NF) }')
echo "libcrypto: $verifications verifications of ecdsap384 a second"
measure "connections kept" "$guests" "$seconds"
kept=$rate alone=$efficiency
measure "new connections" "$guests" "$seconds" new
measure "at 70 % of the rate" "$guests" "$seconds" $((kept * 70 / 100))

python3 - "$url" <<'PYTHON' &
import socket, sys, time
host, port = sys.argv[1].rsplit("/", 1)[1].split(":")
crowd = []
while True:
    # The broker closes them after half a minute.
    for number in range(1000):
        one = socket.create_connection((host, int(port)), source_address=("127.0.0.2", 0))
        if number % 2:
            one.sendall(b"\x16\x03\x01\x02")
        crowd.append(one)
    time.sleep(25)
    crowd.clear()
PYTHON
jobs+=("$!")
sleep 2
measure "beside 1000 that idle" "$guests" "$seconds"
echo "  $((efficiency * 100 / alone)) % of what it is without them"
kill "${jobs[1]}"

before=$(memory)
taskset -c 1 broker-load run "$work/broker/public.json" "$work" "$url" "$guests" $((many / (kept + 1) + 1)) >/dev/null
echo "memory: $before KiB, and $(memory) KiB after some $many handshakes more"
