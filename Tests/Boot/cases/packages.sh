# shellcheck shell=bash disable=SC2154
# An initrd that consists of packages, as mkosi makes them: a small system of its own, and our script that prepares it.

prepare_owner "$work" 10.0.2.2
cp "$plain" "$work/packages.img"
quietly cvm-clevis luks bind -d "$work/packages.img" -k "$passphrase" -p snp-attest
quietly cvm-clevis boot-config create -d "$work/packages.img" --output "$work/packages.json"

tree=$work/tree
prepare_system "$tree"
rm -f "$tree/etc/crypttab" "$tree/etc/fstab"
install -D -m 0644 "$work/packages.json" "$tree/etc/cvm-clevis/boot.json"
ln -s usr/lib/systemd/systemd "$tree/init"
cp Tests/Boot/dracut/59cvm-clevis-test/tee.sh "$tree/usr/bin/cvm-clevis-test-tee"
chmod 0755 "$tree/usr/bin/cvm-clevis-test-tee"
cp Tests/Boot/dracut/59cvm-clevis-test/cvm-clevis-test-tee.service "$tree/etc/systemd/system/"
cat >"$tree/etc/systemd/system/cvm-clevis-test-report.service" <<'EOF'
[Unit]
Description=What the Root Is
DefaultDependencies=no
Requires=dev-mapper-root.device
After=dev-mapper-root.device
Before=sysroot.mount
[Service]
Type=oneshot
ExecStart=/usr/bin/cvm-clevis-test-report
EOF
in_root "$tree" systemctl -q add-wants sysinit.target cvm-clevis-test-tee.service
in_root "$tree" systemctl -q add-wants initrd.target cvm-clevis-test-report.service
printf 'tsm\ncvm_test_tee\nvirtio_net\nvirtio_blk\n' >"$tree/etc/modules-load.d/cvm-clevis-test.conf"

expect "the script prepares the image" mkosi/prepare-initrd "$tree"
echo '{}' >"$tree/etc/cvm-clevis/boot.json"
expect "and an image that would not open its volumes is an error" sh -c "! mkosi/prepare-initrd '$tree'"
cp "$work/packages.json" "$tree/etc/cvm-clevis/boot.json"

initrd=$work/packages.initrd
(cd "$tree" && find . -print0 | cpio --quiet -0 -o -H newc | zstd -q -3 -T2 >"$initrd")
expect "doctor sees nothing that it lacks" cvm-clevis doctor --root "$tree" --initrd "$initrd" \
    --device "root=$work/packages.img" --cmdline root=/dev/mapper/root
opens "the initrd of packages opens the root" "$initrd" "$work/packages.img"
stays_closed "and powers off where the measurement is another" 'root.*measurement' "$initrd" "$work/packages.img" \
    -- "cvm-clevis-test.measurement=$(printf '%096d' 7)"
stop_broker
