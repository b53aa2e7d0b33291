# shellcheck shell=bash disable=SC2034,SC2154
# The guest: Debian 13 in a folder, which initrds are built in and images are filled from. Sourced by run.sh.

guest_packages=(
    systemd systemd-sysv systemd-cryptsetup systemd-resolved udev dbus kmod iproute2 e2fsprogs dmsetup zstd
    dracut dracut-network cryptsetup-bin linux-image-cloud-amd64
    libjose0 libssl3t64 libtss2-esys-3.0.2-0t64 libtss2-rc0t64 libtss2-tcti-device0t64
    clevis clevis-luks clevis-dracut clevis-tpm2 clevis-systemd tpm2-tools jose curl jq # what we are compared with
    linux-headers-cloud-amd64 make gcc libc6-dev                                        # for the test kernel module
)

# Sets guest to the folder, and kernel to its kernel's release.
prepare_guest() {
    prepare_debian guest trixie "${guest_packages[@]}"
    kernel=$(basename "$guest"/lib/modules/*)
}

# prepare_debian VARIABLE SUITE PACKAGE…: sets the variable to a folder with that Debian and these packages. Makes it if no run
# made it before: two minutes.
prepare_debian() {
    local -n folder=$1
    folder=$cache/$({ echo "${@:2}"; declare -f in_root make_debian; } | sha256sum | head -c 16)
    [ -d "$folder" ] || make_debian "$folder" "${@:2}"
}

# make_debian FOLDER SUITE PACKAGE…
make_debian() {
    local making=$1.making.$$
    rm -rf "$1".making.*
    mkdir -p "$making"
    note "Debian $2, into $1"
    debootstrap --variant=minbase "$2" "$making" "$(archive)" >"$making.log" 2>&1 || give_up "$making.log"
    # Without INITRD=No the kernel's package would build an initrd that nobody boots.
    in_root "$making" INITRD=No apt-get install -y -q --no-install-recommends "${@:3}" >>"$making.log" 2>&1 ||
        give_up "$making.log"
    rm -rf "$making"/var/cache/apt/archives/*.deb "$making"/var/lib/apt/lists/*
    mv "$making" "$1"
    mv "$making.log" "$1.log"
}

give_up() {
    tail -20 "$1" >&2
    die "could not make the guest: $1 says more"
}
