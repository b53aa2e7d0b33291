#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Binds the disk to what only this guest has, as its owner, whose files lie beside this; then powers off.
{
    while [ ! -e /dev/sev-guest ] || [ ! -e /dev/vda ]; do sleep 0.2; done
    echo
    XDG_CONFIG_HOME=/etc/cvm-clevis-test-owner cvm-clevis luks bind -d /dev/vda -k /etc/cvm-clevis-test-owner/passphrase \
        -p snp-attest -c '{"mode":"derived"}' && echo "cvm-clevis-test: bound"
} >/dev/console 2>&1
poweroff -f
