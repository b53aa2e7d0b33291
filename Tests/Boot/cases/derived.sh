# shellcheck shell=bash disable=SC2154
# A key that the chip derives for this guest alone: bound inside the guest, since nobody else has it, and opened without a broker.

quietly cvm-clevis init
owner=$root/etc/cvm-clevis-test-owner
mkdir -p "$owner"
cp -r "$XDG_CONFIG_HOME/." "$passphrase" "$owner/"
cp "$plain" "$work/derived.img"
run_dracut bind --omit "$left_out" --add "cvm-clevis-test dm"
rm -r "$owner"
VM_KEEP=1 boot "the binding" "$initrd" "$work/derived.img"
expect "a volume is bound by a key that /dev/sev-guest derives" grep -aq '^cvm-clevis-test: bound' "$console"
quietly cvm-clevis boot-config create -d "$work/derived.img" --output "$work/derived.json"
make_initrd derived "$work/derived.json"
opens "the same guest opens it" "$initrd" "$work/derived.img"
stays_closed "a guest with another measurement derives another key" 'root.*snp-attest' "$initrd" "$work/derived.img" \
    -- "cvm-clevis-test.measurement=$(printf '%096d' 7)"
