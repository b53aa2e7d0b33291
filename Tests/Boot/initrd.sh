# shellcheck shell=bash disable=SC2034,SC2154
# Initrds of the guest, made by its own dracut. Sourced by run.sh.

# What a confidential VM without a desktop, RAID or network storage does without.
left_out="i18n drm plymouth btrfs lvm mdraid multipath dmraid nvdimm iscsi nfs cifs nbd nvmf console-setup pcmcia lunmask
    resume overlayfs overlay-root convertfs crypt-gpg crypt-loop kernel-modules-extra virtfs virtiofs fido2 pkcs11 pcsc
    bluetooth clevis clevis-pin-null clevis-pin-sss clevis-pin-tang clevis-pin-tpm2"

# prepare_root FOLDER: sets root to it, in which initrds are made: the guest's files, to which ours are added. Hard links, so
# nothing in it may be changed, only replaced.
prepare_root() {
    root=$1
    cp -al "$guest" "$root"
    # Wherever tpm2-tools is installed, dracut puts these libraries, and libcurl below them, beside systemd-cryptsetup.
    rm -rf "$root/usr/lib/dracut/modules.d/91tpm2-tss"
    scripts/install --destdir "$root" owner guest
    install_tee "$root"
    cp -r Tests/Boot/dracut/59cvm-clevis-test "$root/usr/lib/dracut/modules.d/"
    mkdir -p "$root/etc/cvm-clevis"
}

# install_tee ROOT: the test kernel module, and what signs for it, with the one library of the host's that Debian 13 lacks.
install_tee() {
    cp -r Tests/Boot/Kernel "$1/usr/src/cvm-test-tee"
    in_root "$1" make -s -C /usr/src/cvm-test-tee "KDIR=/usr/src/linux-headers-$kernel" >"$1.kernel.log" 2>&1 || {
        tail -20 "$1.kernel.log" >&2
        die "the test kernel module could not be built"
    }
    install -D -m 0644 "$1/usr/src/cvm-test-tee/cvm_test_tee.ko" "$1/usr/lib/modules/$kernel/updates/cvm_test_tee.ko"
    in_root "$1" depmod "$kernel"
    strip -o "$1/usr/bin/cvm-tee-sim" "$PROGRAMS/cvm-tee-sim"
    cp -L /usr/lib/x86_64-linux-gnu/libfuse3.so.3 "$1/usr/lib/x86_64-linux-gnu/"
}

# make_initrd NAME BOOT_JSON [options of dracut]: sets initrd to the file, $work/NAME.initrd.
make_initrd() {
    cp "$2" "$root/etc/cvm-clevis/boot.json"
    run_dracut "$1" --omit "$left_out" --add "cvm-clevis cvm-clevis-test" "${@:3}"
}

# run_dracut NAME [options]: with what every initrd here has.
run_dracut() {
    initrd=$work/$1.initrd
    in_root "$root" dracut --force --no-hostonly --no-hostonly-cmdline --kver "$kernel" \
        --drivers "virtio_blk virtio_pci ext4 dm_mod" "${@:2}" "/boot/$1.img" >"$work/$1.dracut" 2>&1 || {
        tail -20 "$work/$1.dracut" >&2
        die "dracut failed"
    }
    mv "$root/boot/$1.img" "$initrd"
}

# listing INITRD: the files in it, one a line.
listing() {
    cp "$1" "$root/tmp/listed.img"
    in_root "$root" lsinitrd "/tmp/listed.img" | awk '{ print $9 }'
}

# choose_front NAME: for the initrds that are made from now on.
choose_front() { echo "cvm_clevis_front=$1" >"$root/etc/dracut.conf.d/50-cvm-clevis.conf"; }
