# shellcheck shell=bash disable=SC2034,SC2154
# Root and data by one program and one report, and what boot.json allows where one stays closed.

prepare_owner "$work" 10.0.2.2
root_disk=$work/root.img data_disk=$work/data.img
cp "$plain" "$root_disk"
make_volume "$data_disk" "$data_luks_uuid" "$data_uuid"
quietly cvm-clevis luks bind -d "$root_disk" -k "$passphrase" -p snp-attest
quietly cvm-clevis luks bind -d "$data_disk" -k "$passphrase" --name data -p null
quietly cvm-clevis boot-config create -d "$root_disk" --output "$work/volumes.json"
quietly cvm-clevis boot-config create -d "$data_disk" --name data --keep --output "$work/volumes.json"
make_initrd volumes "$work/volumes.json"
VM_OPTIONS=(-drive "file=$data_disk,if=virtio,format=raw,cache=unsafe,snapshot=on")
opens "the root, beside a data volume" "$initrd" "$root_disk"
expect "which is open, too" grep -aq '^cvm-clevis-test: data: .* crypt aes-xts-plain64 ' "$console"
VM_OPTIONS=()

quietly cvm-clevis boot-config create -d "$root_disk" --on-failure prompt --output "$work/prompt.json"
make_initrd prompt "$work/prompt.json"
wrong="cvm-clevis-test.measurement=$(printf '%096d' 7)"
VM_MEANWHILE=type_passphrase opens "where boot.json allows a prompt, a passphrase opens what the broker refused" \
    "$initrd" "$root_disk" -- "$wrong"
expect "after a line that says why it is asked for" grep -aq '^cvm-clevis-unlock: root .*: a passphrase may be typed' "$console"
stop_broker
