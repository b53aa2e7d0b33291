# shellcheck shell=bash disable=SC2154
# The pin tpm2, against swtpm.

start_tpm tpm
tpm2_pcrextend "16:sha1=$(printf '11%.0s' {1..20}),sha256=$(printf '22%.0s' {1..32}),sha384=$(printf '33%.0s' {1..48})"
for key in ecc rsa; do
    for hash in sha1 sha256 sha384 sha512; do
        both_open "tpm2, $key primary with $hash" tpm2 "{\"key\":\"$key\",\"hash\":\"$hash\"}"
    done
done
for ids in '"7,16"' '["7","16"]' '[7,16]' '["7,16"]' '"16,7"' '"16"'; do
    both_open "tpm2, pcr_ids $ids" tpm2 "{\"pcr_bank\":\"sha256\",\"pcr_ids\":$ids}"
done
for bank in sha1 sha384 sha512; do
    both_open "tpm2, bank $bank" tpm2 "{\"pcr_bank\":\"$bank\",\"pcr_ids\":\"0,16\"}"
done
both_open "tpm2, rsa primary and PCRs" tpm2 '{"key":"rsa","pcr_bank":"sha256","pcr_ids":"16"}'

# The values that PCR 16 of the bank sha256 will have.
future=$(python3 - <<'P'
import base64
import hashlib

now = hashlib.sha256(bytes(32) + b"\x22" * 32).digest()
print(base64.urlsafe_b64encode(hashlib.sha256(now + b"\x44" * 32).digest()).decode().rstrip("="))
P
)
future="{\"pcr_bank\":\"sha256\",\"pcr_ids\":\"16\",\"pcr_digest\":\"$future\"}"
cvm-clevis encrypt tpm2 "$future" <"$work/secret" >"$work/ours-future.jwe"
stock clevis encrypt tpm2 "$future" <"$work/secret" >"$work/stock-future.jwe"

# clevis 19 seals what it can never unseal: its tool opens a sha256 session whatever the object's hash is.
for hash in sha384 sha512; do
    config="{\"hash\":\"$hash\",\"pcr_bank\":\"sha256\",\"pcr_ids\":\"7\"}"
    stock clevis encrypt tpm2 "$config" <"$work/secret" >"$work/stock.jwe"
    fails "stock clevis cannot open its own, $hash with PCRs" stock clevis decrypt <"$work/stock.jwe"
    expect "we open it" ours_opens "$work/stock.jwe"
    cvm-clevis encrypt tpm2 "$config" <"$work/secret" >"$work/ours.jwe"
    expect "stock clevis opens ours, $hash with PCRs" stock_opens "$work/ours.jwe"
done

note "PCR 16 moves"
config='{"pcr_bank":"sha256","pcr_ids":"16"}'
cvm-clevis encrypt tpm2 "$config" <"$work/secret" >"$work/ours.jwe"
stock clevis encrypt tpm2 "$config" <"$work/secret" >"$work/stock.jwe"
refuse "values that are still to come open nothing yet" 'tpm2: refused: ' cvm-clevis decrypt <"$work/stock-future.jwe"
tpm2_pcrextend "16:sha256=$(printf '44%.0s' {1..32})"
refuse "we refuse stock clevis' then" 'tpm2: refused: ' cvm-clevis decrypt <"$work/stock.jwe"
fails "stock clevis refuses ours then" stock clevis decrypt <"$work/ours.jwe"
expect "stock clevis opens ours, whose pcr_digest foresaw it" stock_opens "$work/ours-future.jwe"
expect "we open stock clevis', whose pcr_digest foresaw it" ours_opens "$work/stock-future.jwe"
refuse "without a TPM it is unavailable" 'tpm2: unavailable: ' \
    env TPM2TOOLS_TCTI="$no_tpm" cvm-clevis decrypt <"$work/stock.jwe"

first_tpm=$TPM2TOOLS_TCTI
start_tpm tpm-sha256 --pcr-banks sha256
cvm-clevis encrypt tpm2 '{"pcr_ids":"7"}' <"$work/secret" >"$work/ours.jwe"
expect "on a TPM with only the bank sha256, stock clevis opens ours" stock_opens "$work/ours.jwe"
refuse "another machine's TPM opens nothing" 'tpm2: ' env TPM2TOOLS_TCTI="$first_tpm" cvm-clevis decrypt <"$work/ours.jwe"
export TPM2TOOLS_TCTI=$first_tpm
expect "we open ours" ours_opens "$work/ours-future.jwe"
expect "and nothing is left loaded in the TPM" test -z "$(tpm2_getcap handles-transient)$(tpm2_getcap handles-loaded-session)"
