# shellcheck shell=bash disable=SC2154
# A share that only a broker releases, to a guest that proves what it booted: evidence by the kernel's own configfs-tsm and
# drivers' ABI, the network of the initrd, and an owner's policy.

prepare_owner "$work"
in_guests_network=${BROKER_URL/127.0.0.1/10.0.2.2}
rm -rf "$XDG_CONFIG_HOME"
cvm-clevis init --broker "$work/broker/public.json" --url "$in_guests_network" --policy "$work/policy.json" >/dev/null 2>&1
cvm-clevis-broker owner add "$work/broker" guests "$XDG_CONFIG_HOME/cvm-clevis/owner.pub.jwk" >/dev/null 2>&1

cp "$work/plain.img" "$work/snp.img"
cvm-clevis luks bind -d "$work/snp.img" -k "$work/passphrase" -p snp-attest >/dev/null 2>&1
cvm-clevis boot-config create -d "$work/snp.img" --output "$work/snp.json" 2>/dev/null
make_initrd snp "$work/snp.json"
opens "snp-attest opens the root of a guest with the right measurement" "$initrd" "$work/snp.img" -- ip=dhcp
stays_closed "another measurement is refused, and the machine goes off" 'measurement' "$initrd" "$work/snp.img" \
    -- ip=dhcp "cvm-clevis-test.measurement=$(printf '%096d' 7)"
