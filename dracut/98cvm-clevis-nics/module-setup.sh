#!/bin/bash
# shellcheck disable=SC2154 # what dracut sets
# SPDX-License-Identifier: Apache-2.0
# Takes away again the network cards that no confidential VM has: dracut's network brings all of them, megabytes that are
# unpacked and probed before a volume opens. Comes after the modules that bring them; cvm_clevis_nics says which stay.

# called by dracut
check() { return 255; }

# called by dracut
installkernel() {
    local nic file kept
    # Dracut itself chose those of this host.
    [[ ! $hostonly && ${cvm_clevis_nics[*]} != all ]] || return 0
    kept=$(for nic in "${cvm_clevis_nics[@]}"; do
        modprobe --dirname "$dracutsysrootdir/" --set-version "$kernel" --show-depends "$nic" 2>/dev/null
    done | awk '$1 == "insmod" { print $2 }' | xargs -r -n 1 basename)
    [[ $kept ]] || return 0
    find "$initdir"/usr/lib/modules "$initdir"/lib/modules -path '*/drivers/net/*.ko*' 2>/dev/null | while read -r file; do
        grep -qxF "${file##*/}" <<<"$kept" || rm -f -- "$file"
    done
}
