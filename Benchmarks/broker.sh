#!/usr/bin/env bash
# What a broker does on one core beside what that core's libcrypto does. It prints, all of one run:
#
# - handshakes a second over connections that are kept, against the verifications of `openssl speed ecdsap384` of that core, and against the
#   handshakes that libcrypto's part of them would allow. That part is measured by broker-load on the same core: the report's P-384 signature, the
#   owner's P-256 signature, and two agreements on P-256 with derivation, key wrap and AES-GCM, one to open the envelope and one with a new key
#   to seal the answer. 85 % of it means that HTTP, TLS, JSON, the store and the audit log take 15 % of a broker's time;
# - handshakes a second over new connections;
# - their times at 70 % of the load that connections that are kept can have;
# - a storm of 10,000 guests in two waves, each with a new connection, against the rate over new connections;
# - what 1,000 idle and slow connections cost the others, and a client that sends 40 requests a second that have to be refused;
# - memory over many handshakes.
#
# broker.sh [SECONDS [HANDSHAKES]]. HANDSHAKES: 200,000 where it is not given, 0 for none. The broker has the first core, its guests the
# second. Rates are also given by the broker's processor time, as openssl speed gives its own: those mean something on a machine that does
# other things as well.
set -euo pipefail
cd "$(dirname "$0")/.."
ulimit -n "$(ulimit -Hn)"
seconds=${1:-20}
many=${2:-200000}
guests=24
crowd=5000
waves=2

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
load() { taskset -c 1 broker-load "$1" "$work/broker/public.json" "$work" "$url" "${@:2}"; }
# measure NAME ARGUMENTS: a line of figures; sets rate, and efficiency: handshakes by a second of the broker's processor time.
measure() {
    local name=$1 before figures
    shift
    before=$(ticks)
    figures=$(load run "$@")
    rate=$(member per_second <<<"$figures")
    # It works for a second before it counts.
    efficiency=$(awk -v all="$(($(member handshakes <<<"$figures") * ($2 + 1) / $2))" -v ticks="$(($(ticks) - before))" \
        -v hertz="$(getconf CLK_TCK)" 'BEGIN { print int(all / (ticks + 1) * hertz) }')
    printf '%-24s %s by a second of processor time\n  %s\n' "$name" "$efficiency" "$figures"
}

verifications=$(taskset -c 0 openssl speed -seconds 3 ecdsap384 2>/dev/null | awk '/nistp384/ { print int($NF) }')
echo "libcrypto: $verifications verifications of ecdsap384 a second"
operations=$(taskset -c 0 broker-load operations 6)
allowed=$(member per_second <<<"$operations")
printf 'libcrypto of a handshake, microseconds: %s\n' "$operations"

measure "connections kept" "$guests" "$seconds"
kept=$rate alone=$efficiency
echo "  by processor time $((alone * 100 / verifications)) % of the verifications (bar: 60), $((alone * 100 / allowed)) % of what libcrypto allows (bar: 85)"
echo "  by the clock $((kept * 100 / verifications)) % and $((kept * 100 / allowed)) %"
measure "new connections" "$guests" "$seconds" new
new=$rate
measure "at 70 % of the rate" "$guests" "$seconds" $((kept * 70 / 100))
echo "  (bar: p99_ms under 60)"

figures=$(load storm "$crowd" "$waves")
took=$(sed -n 's/.*"seconds":\([0-9.]*\).*/\1/p' <<<"$figures")
printf 'storm of %s guests\n  %s\n' $((crowd * waves)) "$figures"
awk -v took="$took" -v all=$((crowd * waves)) -v rate="$new" \
    'BEGIN { printf "  %.2f times as long as at the rate with new connections (bar: 1.25; errors: 0)\n", took * rate / all }'

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
load hostile 40 $((seconds + 2)) >"$work/hostile" &
hostile=$!
measure "beside bad clients" "$guests" "$seconds"
wait "$hostile"
echo "  refused meanwhile: $(cat "$work/hostile")"
echo "  $((efficiency * 100 / alone)) % of what it is without them (bar: 90)"
kill "${jobs[1]}"

[ "$many" != 0 ] || exit 0
before=$(memory)
load run "$guests" $((many / (kept + 1) + 1)) >/dev/null
echo "memory: $before KiB, and $(memory) KiB after some $many handshakes more"
