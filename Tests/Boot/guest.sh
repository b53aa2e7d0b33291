# shellcheck shell=bash disable=SC2034,SC2154
# The guest: Debian 13 in a folder, which initrds are built in and images are filled from. Sourced by run.sh.

guest_suite=trixie
guest_packages=(
    systemd systemd-sysv systemd-cryptsetup systemd-resolved udev dbus kmod iproute2 e2fsprogs dmsetup zstd
    dracut dracut-network cryptsetup-bin linux-image-cloud-amd64
    libjose0 libssl3t64 libtss2-esys-3.0.2-0t64 libtss2-tctildr0t64 libtss2-tcti-device0t64
    clevis clevis-luks clevis-dracut clevis-tpm2 clevis-systemd tpm2-tools jose curl jq # what we are compared with
    linux-headers-cloud-amd64 make gcc libc6-dev                                        # for the test kernel module
)

# Sets guest to the folder, and kernel to its kernel's release. Makes it if no run made it before: two minutes.
prepare_guest() {
    guest=$cache/$({ declare -p guest_suite guest_packages; declare -f in_root make_guest; } | sha256sum | head -c 16)
    [ -d "$guest" ] || make_guest
    kernel=$(basename "$guest"/lib/modules/*)
}

make_guest() {
    local making=$guest.making.$$
    rm -rf "$cache"/*.making.*
    mkdir -p "$making"
    note "Debian $guest_suite for the guest, into $guest"
    debootstrap --variant=minbase "$guest_suite" "$making" "$(archive)" >"$making.log" 2>&1 || give_up "$making.log"
    # Without INITRD=No the kernel's package would build an initrd that nobody boots.
    in_root "$making" INITRD=No apt-get install -y -q --no-install-recommends "${guest_packages[@]}" >>"$making.log" 2>&1 ||
        give_up "$making.log"
    rm -rf "$making"/var/cache/apt/archives/*.deb "$making"/var/lib/apt/lists/*
    mv "$making" "$guest"
    mv "$making.log" "$guest.log"
}

give_up() {
    tail -20 "$1" >&2
    die "could not make the guest: $1 says more"
}
