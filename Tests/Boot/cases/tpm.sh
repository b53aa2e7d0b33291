# shellcheck shell=bash disable=SC2154
# A share in a TPM, alone and beside one that a broker releases. The binding is made with the guest's TPM, before its firmware
# measured anything: so to a PCR that firmware leaves alone.
prepare_owner "$work" 10.0.2.2
start_tpm guest-tpm
tpm=$work/guest-tpm
cp "$plain" "$work/tpm.img"
quietly cvm-clevis luks bind -d "$work/tpm.img" -k "$passphrase" -p tpm2 -c '{"pcr_ids":"14"}'
cp "$plain" "$work/both.img"
quietly cvm-clevis luks bind -d "$work/both.img" -k "$passphrase" -p sss -c '{"t":2,"pins":{"tpm2":{},"snp-attest":{}}}'
stop_peers
unset TPM2TOOLS_TCTI
for volume in tpm both; do
    quietly cvm-clevis boot-config create -d "$work/$volume.img" --output "$work/$volume.json"
done
make_initrd tpm "$work/tpm.json"
listing "$initrd" >"$work/tpm.list"
expect "an initrd for tpm2 alone has no libssl" sh -c "! grep -q libssl '$work/tpm.list'"
VM_TPM=$tpm opens "tpm2 opens the root" "$initrd" "$work/tpm.img"
expect "and PCR 15 says which volume that was" grep -aq "pcr 15: $(pcr_of_volume "$work/tpm.img")" "$console"
mkdir "$work/other-tpm"
VM_TPM=$work/other-tpm stays_closed "another TPM does not, and the machine goes off" 'tpm2: refused: ' "$initrd" "$work/tpm.img"
make_initrd both "$work/both.json"
VM_TPM=$tpm opens "two of tpm2 and snp-attest open the root" "$initrd" "$work/both.img"
VM_TPM=$tpm stays_closed "one of the two is not enough" 'sss: refused: .*measurement' "$initrd" "$work/both.img" \
    -- "cvm-clevis-test.measurement=$(printf '%096d' 7)"
stop_broker
