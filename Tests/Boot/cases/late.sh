# shellcheck shell=bash disable=SC2034,SC2154
# A data volume that the system opens after its initrd, from crypttab and by the same units; its pin asks over the network,
# which there is none of before.

quietly cvm-clevis init
start_tang late-tang
cp "$plain" "$work/late-data.img"
config=$(curl -sf "$TANG_URL/adv/" | jq -c --arg url "${TANG_URL/127.0.0.1/10.0.2.2}" '{url: $url, adv: .}')
make_volume "$work/late-data.img" "$data_luks_uuid" "$data_uuid"
quietly cvm-clevis luks bind -d "$work/late-data.img" -k "$passphrase" --name data -p tang -c "$config"

# A system that boots: its boot.json has both volumes, the initrd opens only the root.
system=$work/system
prepare_system "$system"
quietly cvm-clevis boot-config create --uuid "$luks_uuid" --pin null --output "$work/late.json"
quietly cvm-clevis boot-config create -d "$work/late-data.img" --name data --late --on-failure prompt --keep \
    --output "$work/late.json"
install -D -m 0644 "$work/late.json" "$system/etc/cvm-clevis/boot.json"
rm -f "$system/etc/crypttab" "$system/etc/fstab"
echo "data UUID=$data_luks_uuid /run/cvm-clevis/key.socket header=/run/cvm-clevis/data.header,headless=1,_netdev" \
    >"$system/etc/crypttab"
echo "/dev/mapper/data /srv ext4 ro,_netdev,nofail" >"$system/etc/fstab"
cp -r "$system/usr/share/cvm-clevis/network/." "$system/etc/systemd/system/"
printf '[Match]\nName=en*\n[Network]\nDHCP=ipv4\n' >"$system/etc/systemd/network/50-wired.network"
cat >"$system/etc/systemd/system/cvm-clevis-test-report.service" <<'EOF'
[Unit]
Description=What Is Mapped and What Is on It
Wants=srv.mount
After=srv.mount
[Service]
Type=oneshot
ExecStart=sh -c 'printf "\\ncvm-clevis-test: data holds: %%s\\n" "$(cat /srv/mark)" >/dev/console; exec cvm-clevis-test-report'
[Install]
WantedBy=multi-user.target
EOF
in_root "$system" systemctl -q enable cvm-clevis-headers.service cvm-clevis-key.socket cvm-clevis-test-report.service \
    systemd-networkd.service systemd-networkd-wait-online.service
make_volume "$work/late-root.img" "$luks_uuid" "$root_uuid" "$system" 700
quietly cvm-clevis luks bind -d "$work/late-root.img" -k "$passphrase" -p null

make_initrd late "$work/late.json"
listing "$initrd" >"$work/late.list"
expect "an initrd brings nothing for the pins of a late volume" sh -c "! grep -q libssl '$work/late.list'"
expect "doctor finds all that either volume needs" cvm-clevis doctor --root "$system" --initrd "$initrd" \
    --device "root=$work/late-root.img" --device "data=$work/late-data.img" --cmdline "root=/dev/mapper/root"
VM_OPTIONS=(-drive "file=$work/late-data.img,if=virtio,format=raw,cache=unsafe,snapshot=on")
opens "the system boots from its root" "$initrd" "$work/late-root.img" -- cvm-clevis-test.boot
expect "and opens a data volume from crypttab, over its network" grep -aq '^cvm-clevis-test: data: .* crypt aes-xts' "$console"
expect "which is the owner's" grep -aq '^cvm-clevis-test: data holds: from the owner' "$console"
rm "$work"/late-tang/*.jwk
boot "the same without the key" "$initrd" "$work/late-root.img" -- cvm-clevis-test.boot
expect "where the server has lost its key, the system boots all the same and says so" \
    grep -aq 'cvm-clevis-unlock: data: .*tang: refused: ' "$console"
expect "and the volume stays closed" sh -c "! grep -aq '^cvm-clevis-test: data: ' '$console'"
VM_OPTIONS=()
stop_peers
