#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
{
    echo
    echo "cvm-clevis-test: open after $(cut -d ' ' -f 1 /proc/uptime) s"
    dmsetup table | while read -r name table; do echo "cvm-clevis-test: ${name%:}: $table"; done
    echo "cvm-clevis-test: end"
} >/dev/console
poweroff -f
