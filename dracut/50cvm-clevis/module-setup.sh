#!/bin/bash
# shellcheck disable=SC2154 # what dracut sets
# SPDX-License-Identifier: Apache-2.0
# Volumes open by themselves: cvm-clevis-unlock, /etc/cvm-clevis/boot.json, and what the pins named there need.
# A broken image is never written: what is missing ends dracut.

cvm_clevis_config=/etc/cvm-clevis/boot.json

# The network cards that confidential VMs have: QEMU and most clouds, Google, Azure (two), AWS.
cvm_clevis_nics=(virtio_net gve hv_netvsc mana ena)

# called by dracut
check() {
    require_binaries cvm-clevis-unlock || return 1
    [[ -s $dracutsysrootdir$cvm_clevis_config ]]
}

# called by dracut. A module that it cannot install makes dracut leave this one out, with one line and status 0: so only
# what exists is asked for, and install() looks at what came.
depends() {
    local modules="dm rootfs-block" module
    dracut_module_included "systemd" && module=systemd-ask-password
    [[ ! $module ]] || ! cvm_clevis_module_exists $module || modules+=" $module"
    cvm_clevis_has_network_pin && [[ " $omit_dracutmodules " != *" network "* ]] && modules+=" network"
    echo "$modules"
}

# called by dracut
installkernel() {
    hostonly='' instmods dm_crypt xts aes
    cvm_clevis_has_pin snp-attest && hostonly='' instmods configfs tsm sev-guest
    cvm_clevis_has_pin tdx-attest && hostonly='' instmods configfs tsm tdx-guest
    cvm_clevis_has_pin sev-secret && hostonly='' instmods efi_secret
    cvm_clevis_has_pin tpm2 && hostonly='' instmods tpm_tis tpm_crb
    cvm_clevis_has_network_pin && hostonly='' instmods "${cvm_clevis_nics[@]}"
    return 0
}

# called by dracut
install() {
    inst_simple "$cvm_clevis_config"
    inst_multiple cvm-clevis-unlock
    # The program opens these when it first needs them, so nothing in it names them.
    cvm_clevis_library libcryptsetup.so.12
    cvm_clevis_has_network_pin && cvm_clevis_install_network
    cvm_clevis_has_pin tpm2 && cvm_clevis_install_tpm
    cvm_clevis_write_cmdline
    if dracut_module_included "systemd"; then
        cvm_clevis_install_cryptsetup
        cvm_clevis_install_units
        cvm_clevis_write_crypttab
    else
        cvm_clevis_install_hook
    fi
}

# cvm_clevis_has_pin NAME: boot.json allows it. A volume that is named like a pin brings what the pin needs, too.
cvm_clevis_has_pin() { grep -q "\"$1\"" "$dracutsysrootdir$cvm_clevis_config"; }

cvm_clevis_has_network_pin() { cvm_clevis_has_pin tang || cvm_clevis_has_pin snp-attest || cvm_clevis_has_pin tdx-attest; }

cvm_clevis_module_exists() { compgen -G "$dracutbasedir/modules.d/??$1" >/dev/null; }

# Not by dracut's module, which in an image that is not for this host alone wants FIDO2, PKCS#11 and TPM libraries, too, and
# silently stays away where one of them was left out.
cvm_clevis_install_cryptsetup() {
    inst_multiple -o "$systemdutildir/systemd-cryptsetup" "$systemdutildir/system-generators/systemd-cryptsetup-generator" \
        "$systemdsystemunitdir/cryptsetup-pre.target" "$systemdsystemunitdir/cryptsetup.target" \
        "$systemdsystemunitdir/sysinit.target.wants/cryptsetup.target" \
        "$systemdsystemunitdir/remote-cryptsetup.target" \
        "$systemdsystemunitdir/initrd-root-device.target.wants/remote-cryptsetup.target"
    [[ -x $initdir$systemdutildir/systemd-cryptsetup ]] || cvm_clevis_fail "systemd-cryptsetup is not installed"
}

# Keys come through the socket, and volumes are opened by the copies of their headers.
cvm_clevis_install_units() {
    local unit
    for unit in cvm-clevis-headers.service cvm-clevis-key.socket cvm-clevis-key.service cvm-clevis-failure@.service; do
        inst_simple "$systemdsystemunitdir/$unit"
        [[ -e $initdir$systemdsystemunitdir/$unit ]] || cvm_clevis_fail "$unit is not installed"
    done
    for unit in cvm-clevis-headers.service cvm-clevis-key.socket; do
        $SYSTEMCTL -q --root "$initdir" add-wants sysinit.target "$unit"
    done
    cvm_clevis_install_dropins initrd
    cvm_clevis_has_network_pin && cvm_clevis_install_dropins network
    inst_multiple -o "$systemdsystemunitdir/sys-kernel-config.mount"
}

# cvm_clevis_install_dropins FOLDER: those of /usr/share/cvm-clevis/FOLDER.
cvm_clevis_install_dropins() {
    local from=$dracutsysrootdir/usr/share/cvm-clevis/$1 file
    [[ -d $from ]] || cvm_clevis_fail "/usr/share/cvm-clevis/$1 is not installed"
    for file in "$from"/*.d/*.conf; do
        inst_simple "$file" "/etc/systemd/system/${file#"$from"/}"
    done
}

# Beside what dracut found for this host's own boot.
cvm_clevis_write_crypttab() {
    local name uuid options
    options=x-initrd.attach
    grep -qE '"(prompt|shell)"' "$dracutsysrootdir$cvm_clevis_config" || options+=,headless=1,tries=1
    while read -r name uuid; do
        sed -i "/^${name}[[:space:]]/d" "$initdir/etc/crypttab" 2>/dev/null
        echo "$name UUID=$uuid /run/cvm-clevis/key.socket header=/run/cvm-clevis/$name.header,$options" >>"$initdir/etc/crypttab"
    done < <(cvm_clevis_volumes)
    [[ -s $initdir/etc/crypttab ]] || cvm_clevis_fail "$cvm_clevis_config names no volume"
}

# Name and UUID of each volume, one a line.
cvm_clevis_volumes() {
    tr -d ' \t\r\n' <"$dracutsysrootdir$cvm_clevis_config" | grep -oE '"(name|uuid)":"[A-Za-z0-9_.-]+"' | cut -d '"' -f 2,4 |
        awk -F '"' '{ value[$1] = $2 } "name" in value && "uuid" in value { print value["name"], value["uuid"]; delete value }'
}

# cvm_clevis_library NAME: with the libraries that it needs. Dracut itself looks for those of executable files only, which
# Debian's libraries are not.
cvm_clevis_library() {
    local library file
    library=$(find -L "$dracutsysrootdir"/usr/lib* "$dracutsysrootdir"/lib* -name "$1" -print -quit 2>/dev/null)
    [[ $library ]] || cvm_clevis_fail "$1 is not installed"
    library=${library#"$dracutsysrootdir"}
    while read -r file; do
        inst_simple "$dracutsysrootdir$file" "$file"
        [[ -e $initdir$file ]] || cvm_clevis_fail "$1 needs $file, which is not in the image"
    done < <(cvm_clevis_with_dependencies "$library")
}

# cvm_clevis_with_dependencies LIBRARY: its path and those of all it needs; of what the loader does not find, the name.
cvm_clevis_with_dependencies() {
    echo "$1"
    ${dracutsysrootdir:+chroot "$dracutsysrootdir"} ldd "$1" | awk '$2 == "=>" { print $3 == "not" ? $1 : $3 } /^[ \t]*\// { print $1 }'
}

cvm_clevis_install_network() {
    cvm_clevis_library libcurl.so.4
    dracut_module_included "network" || cvm_clevis_fail "a pin in $cvm_clevis_config needs the network, which is left out"
}

cvm_clevis_install_tpm() {
    local library
    for library in esys mu rc tctildr tcti-device; do cvm_clevis_library "libtss2-$library.so.0"; done
    inst_rules 60-tpm-udev.rules 90-tpm.rules
}

# What boot.json decides of dracut itself: the network is needed, and no shell is there for whoever holds the console.
cvm_clevis_write_cmdline() {
    local words=()
    cvm_clevis_has_network_pin && words+=(rd.neednet=1)
    grep -q '"shell"' "$dracutsysrootdir$cvm_clevis_config" || words+=(rd.shell=0 rd.emergency=poweroff)
    mkdir -p "$initdir/etc/cmdline.d"
    echo "${words[*]}" >"$initdir/etc/cmdline.d/50-cvm-clevis.conf"
}

# Where systemd does not open the volumes, dracut's own loop does.
cvm_clevis_install_hook() {
    cvm_clevis_volumes | cut -d ' ' -f 2 >"$initdir/etc/cvm-clevis/uuids"
    [[ -s $initdir/etc/cvm-clevis/uuids ]] || cvm_clevis_fail "$cvm_clevis_config names no volume"
    inst_multiple mount mkdir poweroff
    inst_hook initqueue/settled 50 "$moddir/cvm-clevis-open.sh"
    dracut_need_initqueue
}

cvm_clevis_fail() {
    dfatal "cvm-clevis: $1: this image would not open its volumes, so it is not written"
    exit 1
}
