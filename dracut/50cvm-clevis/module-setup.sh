#!/bin/bash
# shellcheck disable=SC2154 # what dracut sets
# SPDX-License-Identifier: Apache-2.0
# Volumes open by themselves: cvm-clevis-unlock, /etc/cvm-clevis/boot.json, and what the pins named there need.
# A broken image is never written: what is missing ends dracut.

cvm_clevis_config=/etc/cvm-clevis/boot.json

# The network cards that confidential VMs have: QEMU and most clouds, Google, Azure (two), AWS. Set it in
# /etc/dracut.conf.d to have others, or all.
[[ $cvm_clevis_nics ]] || cvm_clevis_nics=(virtio_net gve hv_netvsc mana ena)

# Who brings keys to systemd-cryptsetup: socket, agent or plugin. Set it in /etc/dracut.conf.d to have another.
: "${cvm_clevis_front:=socket}"

# called by dracut
check() {
    require_binaries cvm-clevis-unlock || return 1
    [[ -s $dracutsysrootdir$cvm_clevis_config ]] || return 1
    # Nothing to do where all volumes are late. A file that is not valid ends dracut in install().
    ! cvm_clevis_volumes >/dev/null 2>&1 || [[ $cvm_clevis_known ]]
}

# called by dracut. A module that it cannot install makes dracut leave this one out, with one line and status 0: so only
# what exists is asked for, and install() looks at what came.
depends() {
    local modules="dm rootfs-block" module
    cvm_clevis_volumes >/dev/null 2>&1
    dracut_module_included "systemd" && module=systemd-ask-password
    [[ ! $module ]] || ! cvm_clevis_module_exists $module || modules+=" $module"
    cvm_clevis_has_network_pin && [[ " $omit_dracutmodules " != *" network "* ]] && modules+=" network cvm-clevis-nics"
    echo "$modules"
}

# called by dracut
installkernel() {
    cvm_clevis_volumes >/dev/null 2>&1
    hostonly='' instmods dm_crypt xts aes
    cvm_clevis_has_pin snp-attest && hostonly='' instmods configfs tsm sev-guest
    cvm_clevis_has_pin tdx-attest && hostonly='' instmods configfs tsm tdx-guest
    cvm_clevis_has_pin trustee && hostonly='' instmods configfs tsm sev-guest tdx-guest
    cvm_clevis_has_pin sev-secret && hostonly='' instmods efi_secret
    cvm_clevis_has_pin tpm2 && hostonly='' instmods tpm_tis tpm_crb
    cvm_clevis_has_network_pin && [[ ${cvm_clevis_nics[*]} != all ]] && hostonly='' instmods "${cvm_clevis_nics[@]}"
    return 0
}

# called by dracut
install() {
    cvm_clevis_volumes >/dev/null || cvm_clevis_fail "$cvm_clevis_config is not valid"
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

# cvm_clevis_ask VERB…: what boot.json says, by the program that will read it.
cvm_clevis_ask() {
    ${dracutsysrootdir:+chroot "$dracutsysrootdir"} cvm-clevis-unlock "$@" --boot-config "$cvm_clevis_config"
}

# Name, UUID, on_failure and pins of each volume that the initrd opens, a line each. The program is asked once; what runs
# this in subshells runs it by itself before.
cvm_clevis_volumes() {
    [[ ${cvm_clevis_known+is} ]] || cvm_clevis_known=$(cvm_clevis_ask volumes) || {
        unset -v cvm_clevis_known
        return 1
    }
    [[ ! $cvm_clevis_known ]] || echo "$cvm_clevis_known"
}

# cvm_clevis_has_pin NAME: boot.json allows it.
cvm_clevis_has_pin() { cvm_clevis_volumes 2>/dev/null | awk '{ print $4 }' | tr , '\n' | grep -qxF "$1"; }

# cvm_clevis_has_failure ACTION…: a volume has one of these as its on_failure.
cvm_clevis_has_failure() { cvm_clevis_volumes | awk -v actions="$*" 'index(" " actions " ", " " $3 " ") { found = 1 } END { exit !found }'; }

cvm_clevis_has_network_pin() {
    cvm_clevis_has_pin tang || cvm_clevis_has_pin snp-attest || cvm_clevis_has_pin tdx-attest || cvm_clevis_has_pin trustee
}

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

# Headers are validated first, whoever brings the keys.
cvm_clevis_install_units() {
    cvm_clevis_install_unit cvm-clevis-headers.service sysinit.target
    cvm_clevis_install_unit cvm-clevis-failure@.service
    cvm_clevis_install_dropins initrd
    cvm_clevis_has_network_pin && cvm_clevis_install_dropins network
    inst_multiple -o "$systemdsystemunitdir/sys-kernel-config.mount"
    case $cvm_clevis_front in
        socket)
            cvm_clevis_install_unit cvm-clevis-key.socket sysinit.target
            cvm_clevis_install_unit cvm-clevis-key.service
            ;;
        agent)
            cvm_clevis_install_unit cvm-clevis-agent.path sysinit.target
            cvm_clevis_install_unit cvm-clevis-agent.service
            # Nobody types where boot.json allows no prompt.
            cvm_clevis_has_failure prompt shell ||
                $SYSTEMCTL -q --root "$initdir" mask systemd-ask-password-console.path systemd-ask-password-console.service
            ;;
        plugin)
            cvm_clevis_library libcryptsetup-token-clevis.so
            cvm_clevis_has_network_pin && cvm_clevis_install_dropins plugin
            ;;
        *) cvm_clevis_fail "cvm_clevis_front is $cvm_clevis_front, not socket, agent or plugin" ;;
    esac
}

# cvm_clevis_install_unit UNIT [TARGET]: which starts it.
cvm_clevis_install_unit() {
    inst_simple "$systemdsystemunitdir/$1"
    [[ -e $initdir$systemdsystemunitdir/$1 ]] || cvm_clevis_fail "$1 is not installed"
    [[ ! $2 ]] || $SYSTEMCTL -q --root "$initdir" add-wants "$2" "$1"
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
    local line
    while read -r line; do
        sed -i "/^${line%% *}[[:space:]]/d" "$initdir/etc/crypttab" 2>/dev/null
        echo "$line" >>"$initdir/etc/crypttab"
    done < <(cvm_clevis_ask crypttab --front "$cvm_clevis_front")
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
    cvm_clevis_library libssl.so.3
    dracut_module_included "network" || cvm_clevis_fail "a pin in $cvm_clevis_config needs the network, which is left out"
}

cvm_clevis_install_tpm() {
    local library
    for library in esys mu rc tcti-device; do cvm_clevis_library "libtss2-$library.so.0"; done
    inst_rules 60-tpm-udev.rules 90-tpm.rules
}

# What boot.json decides of dracut itself: the network is needed, and no shell is there for whoever holds the console.
cvm_clevis_write_cmdline() {
    local words=()
    cvm_clevis_has_network_pin && words+=(rd.neednet=1)
    cvm_clevis_has_failure shell || words+=(rd.shell=0 rd.emergency=poweroff)
    mkdir -p "$initdir/etc/cmdline.d"
    echo "${words[*]}" >"$initdir/etc/cmdline.d/50-cvm-clevis.conf"
}

# Where systemd does not open the volumes, dracut's own loop does.
cvm_clevis_install_hook() {
    cvm_clevis_volumes | cut -d ' ' -f 2 >"$initdir/etc/cvm-clevis/uuids"
    inst_multiple mount mkdir poweroff
    # Without systemd nobody else makes it, and our program acts in initrds only.
    [[ -e $initdir/etc/initrd-release ]] || ln -s ../usr/lib/initrd-release "$initdir/etc/initrd-release"
    inst_hook initqueue/settled 50 "$moddir/cvm-clevis-open.sh"
    dracut_need_initqueue
}

cvm_clevis_fail() {
    dfatal "cvm-clevis: $1: this image would not open its volumes, so it is not written"
    exit 1
}
