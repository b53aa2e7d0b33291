#!/usr/bin/env bash
# Real boots: Debian 13 with its own kernel, dracut and systemd under QEMU without KVM, encrypted images, and the programs as
# they ship. Needs root and a Debian archive. Every case prints a line; the first failure ends it and leaves its console's log.
# Arguments: the files of cases to run, by their names in Tests/Boot/cases without .sh; all by default. What a run made stays
# where CVM_CLEVIS_BOOT_KEEP is set.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh
. Tests/peers.sh
. Tests/Boot/lib.sh
. Tests/Boot/guest.sh
. Tests/Boot/image.sh
. Tests/Boot/initrd.sh
. Tests/Boot/vm.sh

prepare_boots
passed=0
VM_OPTIONS=()
if [ $# = 0 ]; then
    for cases in Tests/Boot/cases/*.sh; do set -- "$@" "$(basename "$cases" .sh)"; done
fi
for cases in "$@"; do
    note "boots: $cases"
    work=$run/$cases
    mkdir "$work"
    export XDG_CONFIG_HOME=$work/owner
    # shellcheck source=/dev/null
    . "Tests/Boot/cases/$cases.sh"
done

printf '%d passed, 0 failed\n' "$passed"
