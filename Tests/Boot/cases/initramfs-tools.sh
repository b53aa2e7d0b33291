# shellcheck shell=bash disable=SC2154
# Debian's initramfs-tools, which has no systemd: our script opens the volumes.

# Sets tools to a guest's root like the other one, but with initramfs-tools in the place of dracut. Kept between runs, too.
prepare_tools() {
    local kept=$guest.initramfs-tools
    tools=$work/initramfs-tools
    [ -d "$kept" ] || make_tools "$kept"
    cp -al "$kept" "$tools"
    cp "$root/usr/bin/cvm-clevis-unlock" "$tools/usr/bin/"
    cp -r initramfs-tools/hooks initramfs-tools/scripts Tests/Boot/initramfs-tools/hooks Tests/Boot/initramfs-tools/scripts \
        "$tools/usr/share/initramfs-tools/"
    mkdir -p "$tools/etc/cvm-clevis"
}

# make_tools FOLDER: its /run is made for each command, so that is where names can be looked up.
make_tools() {
    note "initramfs-tools for the guest, into $1"
    rm -rf "$1.making"
    cp -a "$guest" "$1.making"
    in_root "$1.making" sh -c 'mkdir -p /run/systemd/resolve && cat >/run/systemd/resolve/stub-resolv.conf &&
        apt-get update -q && INITRD=No apt-get install -y -q --no-install-recommends initramfs-tools' \
        </etc/resolv.conf >"$work/tools.log" 2>&1 || give_up "$work/tools.log"
    rm -rf "$1.making"/var/cache/apt/archives/*.deb "$1.making"/var/lib/apt/lists/*
    mv "$1.making" "$1"
}

# make_initramfs NAME BOOT_JSON: sets initrd to the file, $work/NAME.initrd.
make_initramfs() {
    initrd=$work/$1.initrd
    cp "$2" "$tools/etc/cvm-clevis/boot.json"
    in_root "$tools" mkinitramfs -o "/boot/$1.img" "$kernel" >"$work/$1.log" 2>&1 || {
        tail -20 "$work/$1.log" >&2
        die "mkinitramfs failed"
    }
    mv "$tools/boot/$1.img" "$initrd"
}

# contents INITRD: the files in it, one a line.
contents() {
    cp "$1" "$tools/boot/listed.img"
    in_root "$tools" lsinitramfs /boot/listed.img
}

# bind_tools NAME PIN CONFIGURATION [options of boot-config create]: a volume, and an image of initramfs-tools for it.
bind_tools() {
    cp "$plain" "$work/$1.img"
    cvm-clevis luks bind -y -d "$work/$1.img" -k "$passphrase" -p "$2" -c "$3" >"$work/$1.bind" 2>&1 || {
        cat "$work/$1.bind" >&2
        die "$1: not bound"
    }
    cvm-clevis boot-config create -d "$work/$1.img" --output "$work/$1.json" "${@:4}" 2>/dev/null
    make_initramfs "$1" "$work/$1.json"
    contents "$initrd" >"$work/$1.list"
    expect "doctor sees nothing that the image for $2 lacks" \
        cvm-clevis doctor --root "$tools" --initrd "$initrd" --device "root=$work/$1.img"
}

prepare_tools
cvm-clevis init >/dev/null 2>&1 || true

bind_tools tools-null null '{}' --on-failure prompt
expect "an image for a pin without peers has no libssl" sh -c "! grep -q libssl '$work/tools-null.list'"
expect "and no TPM library" sh -c "! grep -q libtss2 '$work/tools-null.list'"
opens "the script of initramfs-tools opens the root" "$initrd" "$work/tools-null.img"
Tests/EndToEnd/null-cipher.py "$work/tools-null.img" "$work/tools-refused.img"
stays_closed "a refused header leaves a prompt and no shell" 'root allows no shell: the machine goes off' \
    "$initrd" "$work/tools-refused.img" -- rootdelay=1 panic=

start_tang tools-tang-keys
port=${TANG_URL##*:}
curl -sSf "$TANG_URL/adv" >"$work/tools-adv.json"
bind_tools tools-tang tang "{\"url\":\"http://10.0.2.2:$port\",\"adv\":\"$work/tools-adv.json\"}"
expect "an image for tang has libssl" grep -q libssl.so.3 "$work/tools-tang.list"
expect "and no libcurl" sh -c "! grep -q libcurl '$work/tools-tang.list'"
opens "initramfs-tools brings up the network, and tang opens the root" "$initrd" "$work/tools-tang.img" -- ip=dhcp
stop_peers
stays_closed "without the server the machine goes off" 'stays closed: .*unavailable.*the machine goes off' \
    "$initrd" "$work/tools-tang.img" -- ip=dhcp

prepare_owner "$work" 10.0.2.2
install_tee "$tools"
install -m 0755 Tests/Boot/dracut/59cvm-clevis-test/tee.sh "$tools/usr/bin/cvm-clevis-test-tee"
bind_tools tools-snp snp-attest '{}'
opens "snp-attest opens the root with initramfs-tools" "$initrd" "$work/tools-snp.img" -- ip=dhcp
stays_closed "and with another measurement the machine goes off" 'root.*snp-attest: refused: .*the machine goes off' \
    "$initrd" "$work/tools-snp.img" -- ip=dhcp "cvm-clevis-test.measurement=$(printf '%096d' 7)"
stop_broker

start_tpm tools-tpm
bind_tools tools-tpm2 tpm2 '{"pcr_ids":"15"}'
stop_peers
unset TPM2TOOLS_TCTI
expect "an image for tpm2 has no libssl" sh -c "! grep -q libssl '$work/tools-tpm2.list'"
VM_TPM=$work/tools-tpm opens "tpm2 opens the root with initramfs-tools" "$initrd" "$work/tools-tpm2.img"
expect "and PCR 15 says which volume that was" grep -aq "pcr 15: $(pcr_of_volume "$work/tools-tpm2.img")" "$console"
expect "as the log of measurements does" grep -aq '"string":"cryptsetup:root:'"$luks_uuid"'"' "$console"
