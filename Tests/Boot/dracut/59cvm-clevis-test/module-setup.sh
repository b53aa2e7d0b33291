#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # what dracut sets
# Ends a boot in the initrd: says on the console what the root is, then powers off. And brings the pretend TEE, where it is
# installed.

# called by dracut
check() { return 255; }

# called by dracut
installkernel() {
    [[ ! -x /usr/bin/cvm-tee-sim ]] || hostonly='' instmods tsm cvm_test_tee
}

# called by dracut
install() {
    inst_multiple dmsetup cut cat poweroff awk grep mount sleep systemctl
    inst_script "$moddir/report.sh" /usr/bin/cvm-clevis-test-report
    inst_hook pre-mount 10 "$moddir/pre-mount.sh"
    [[ -x /usr/bin/cvm-tee-sim ]] || return 0
    inst_multiple cvm-tee-sim sed
    inst_script "$moddir/tee.sh" /usr/bin/cvm-clevis-test-tee
    mkdir -p "$initdir/etc/modules-load.d"
    printf 'tsm\ncvm_test_tee\n' >"$initdir/etc/modules-load.d/cvm-clevis-test.conf"
    inst_simple "$moddir/cvm-clevis-test-tee.service" "$systemdsystemunitdir/cvm-clevis-test-tee.service"
    $SYSTEMCTL -q --root "$initdir" add-wants sysinit.target cvm-clevis-test-tee.service
    # An owner who binds inside the guest, by what no other machine has.
    [[ -d /etc/cvm-clevis-test-owner ]] || return 0
    inst_multiple cvm-clevis cryptsetup
    find /etc/cvm-clevis-test-owner -type f | while read -r file; do inst_simple "$file"; done
    inst_script "$moddir/bind.sh" /usr/bin/cvm-clevis-test-bind
    inst_simple "$moddir/cvm-clevis-test-bind.service" "$systemdsystemunitdir/cvm-clevis-test-bind.service"
    $SYSTEMCTL -q --root "$initdir" add-wants sysinit.target cvm-clevis-test-bind.service
}
