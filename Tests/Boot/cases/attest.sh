# shellcheck shell=bash disable=SC2154
# A share that only a broker releases, to a guest that proves what it booted: evidence by the kernel's own configfs-tsm, the
# network of the initrd, and an owner's policy.

prepare_owner "$work" 10.0.2.2
cp "$plain" "$work/snp.img"
quietly cvm-clevis luks bind -d "$work/snp.img" -k "$passphrase" -p snp-attest
quietly cvm-clevis boot-config create -d "$work/snp.img" --output "$work/snp.json"
make_initrd snp "$work/snp.json"
opens "snp-attest opens the root of a guest with the right measurement" "$initrd" "$work/snp.img"
stays_closed "another measurement is refused, and the machine goes off" 'snp-attest: refused: .*measurement' \
    "$initrd" "$work/snp.img" -- "cvm-clevis-test.measurement=$(printf '%096d' 7)"
opens "without configfs-tsm the ioctls of the SEV driver do" "$initrd" "$work/snp.img" -- systemd.mask=sys-kernel-config.mount

# The broker is away, and comes when the guest has noticed.
come_late() {
    console_says "$1" '^cvm-clevis-unlock: root: will be tried again: '
    start_broker "$work/broker" --trust-simulator "$work/simulator" --collateral "$work/simulator/collateral" \
        --listen "${BROKER_URL#https://}" >/dev/null
    echo "$BROKER_PID" >"$work/late.pid"
}
stop_broker
VM_MEANWHILE=come_late opens "a broker that is away at first is asked again" "$initrd" "$work/snp.img"
BROKER_PID=$(cat "$work/late.pid")

cvm-tee-sim policy --tee tdx --output "$work/tdx.json"
quietly cvm-clevis init --tdx-policy "$work/tdx.json"
cp "$plain" "$work/either.img"
quietly cvm-clevis luks bind -d "$work/either.img" -k "$passphrase" -p sss -c '{"t":1,"pins":{"snp-attest":{},"tdx-attest":{}}}'
quietly cvm-clevis boot-config create -d "$work/either.img" --output "$work/either.json"
make_initrd either "$work/either.json"
opens "one image for either TEE opens on SEV-SNP" "$initrd" "$work/either.img"
tdx="cvm_test_tee.provider=tdx_guest cvm-clevis-test.tee=tdx"
opens "and on TDX" "$initrd" "$work/either.img" -- "$tdx"
stop_broker
