#!/bin/sh
# shellcheck disable=SC2154 # what dracut sets
# SPDX-License-Identifier: Apache-2.0
# In dracut's loop, again and again: once all disks of boot.json are there, opens them. What was unavailable is tried again,
# since a network may still be coming up; then the machine goes off, unless boot.json wants something else.

cvm_clevis_open() {
    while read -r cvm_clevis_uuid; do
        [ -e "/dev/disk/by-uuid/$cvm_clevis_uuid" ] || return 0
    done </etc/cvm-clevis/uuids
    if [ -d /sys/kernel/config ] && [ ! -d /sys/kernel/config/tsm ]; then
        mount -t configfs configfs /sys/kernel/config 2>/dev/null
    fi
    cvm_clevis_status=0
    cvm-clevis-unlock --timeout 30 2>/dev/console || cvm_clevis_status=$?
    cvm_clevis_tries=$((${cvm_clevis_tries:-0} + 1))
    if [ "$cvm_clevis_status" = 3 ] && [ "$cvm_clevis_tries" -lt 10 ]; then return 0; fi
    rm -f -- "$job"
    if [ "$cvm_clevis_status" != 0 ]; then cvm-clevis-unlock act 2>/dev/console || poweroff -f; fi
}

cvm_clevis_open
