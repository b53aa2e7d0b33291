# shellcheck shell=bash disable=SC2034,SC2154
# The dracut of Debian 12. Its kernel has no driver for evidence, so the image is built and looked at, with all that pins need; a
# pin that needs no driver opens a root with it.

old_packages=(
    systemd systemd-sysv udev dbus kmod iproute2 e2fsprogs dmsetup zstd dracut dracut-network cryptsetup-bin
    linux-image-cloud-amd64 libjose0 libssl3 libtss2-esys-3.0.2-0 libtss2-rc0
    libtss2-tcti-device0 procps
)
prepare_debian old_guest bookworm "${old_packages[@]}"
old_root=$work/root
cp -al "$old_guest" "$old_root"
scripts/install --destdir "$old_root" guest
cp -r Tests/Boot/dracut/59cvm-clevis-test "$old_root/usr/lib/dracut/modules.d/"
mkdir -p "$old_root/etc/cvm-clevis"

# The functions that make and boot initrds, for that guest and back.
use() { # use GUEST ROOT
    guest=$1 root=$2 kernel=$(basename "$1"/lib/modules/*)
}
new_guest=$guest new_root=$root
use "$old_guest" "$old_root"

quietly cvm-clevis init
cp "$plain" "$work/old.img"
quietly cvm-clevis luks bind -d "$work/old.img" -k "$passphrase" -p null
quietly cvm-clevis boot-config create -d "$work/old.img" --pin null --pin tpm2 --pin tang --pin snp-attest --pin sss \
    --output "$work/every.json"
make_initrd every "$work/every.json"
listing "$initrd" >"$work/every.list"
for file in usr/bin/cvm-clevis-unlock etc/cvm-clevis/boot.json libssl.so.3 libcryptsetup.so.12 libtss2-esys.so.0 \
    libtss2-tcti-device.so.0 virtio_net.ko systemd-cryptsetup cvm-clevis-headers.service cvm-clevis-key.socket; do
    expect "dracut 059 brings $file" grep -q "$file" "$work/every.list"
done
cvm-clevis doctor --json --root "$old_root" --initrd "$initrd" --device "root=$work/old.img" --cmdline root=/dev/mapper/root \
    >"$work/doctor.json" || true
expect "doctor sees that the kernel has no driver for SEV-SNP, and that nothing else is missing" \
    jq -e '[.findings[] | select(.severity == "fails") | .code] == ["kernel", "boots"]' "$work/doctor.json"

quietly cvm-clevis boot-config create -d "$work/old.img" --output "$work/old.json"
make_initrd old "$work/old.json"
opens "the image of dracut 059 opens the root" "$initrd" "$work/old.img"
use "$new_guest" "$new_root"
