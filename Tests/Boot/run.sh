#!/usr/bin/env bash
# Real boots: Debian 13 with its own kernel, dracut and systemd under QEMU without KVM, encrypted images, and the programs as
# they ship. Needs root and a Debian archive. Every case prints a line; the first failure ends it and leaves its console's log.
# Arguments: the files of cases to run, by their names in Tests/Boot/cases without .sh; all by default. As many run side by side
# as there are processors, each with a root of its own to build initrds in. What a run made stays where CVM_CLEVIS_BOOT_KEEP is
# set.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. Tests/peers.sh
. Tests/Boot/lib.sh
. Tests/Boot/guest.sh
. Tests/Boot/image.sh
. Tests/Boot/initrd.sh
. Tests/Boot/system.sh
. Tests/Boot/vm.sh

# Lines of cases side by side: each says which file it is of.
ok() {
    passed=$((passed + 1))
    printf 'ok: %s: %s\n' "$cases" "$1"
}

# run_cases WORKER FILE…: those that no other worker has begun.
run_cases() {
    local worker=$1
    shift
    trap 'stop_broker; stop_peers' EXIT
    passed=0
    VM_OPTIONS=()
    prepare_root "$run/root.$worker"
    for cases in "$@"; do
        work=$run/$cases
        mkdir "$work" 2>/dev/null || continue
        export XDG_CONFIG_HOME=$work/owner
        # Of another file's cases: dracut would open its volumes.
        rm -f "$root/etc/cvm-clevis/boot.json"
        # shellcheck source=/dev/null
        . "Tests/Boot/cases/$cases.sh"
    done
    echo "$passed" >"$run/passed.$worker"
}

prepare_boots
if [ $# = 0 ]; then
    for cases in Tests/Boot/cases/*.sh; do set -- "$@" "$(basename "$cases" .sh)"; done
fi
set -m # a process group for each, so that one failure ends all that the other has started
workers=()
for worker in $(seq "$(nproc)"); do
    run_cases "$worker" "$@" &
    workers+=($!)
done
for worker in "${workers[@]}"; do
    wait -n || {
        kill -- "${workers[@]/#/-}" 2>/dev/null || true
        exit 1
    }
done

awk '{ passed += $1 } END { print passed " passed, 0 failed" }' "$run"/passed.*
