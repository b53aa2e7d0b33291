# shellcheck shell=bash disable=SC2154
# The pins null and sss, alone and nested.

fail='{"fail":true}'
tpm='{"pcr_bank":"sha256","pcr_ids":"16"}'
both_open "null" null '{}'
both_open "sss, one of one by default" sss '{"pins":{"null":{}}}'
both_open "sss, one of three of which two fail" sss "{\"t\":1,\"pins\":{\"null\":[$fail,$fail,{}]}}"
both_open "sss, three of three" sss '{"t":3,"pins":{"null":[{},{},{}]}}'
both_open "sss, tang and tpm2" sss "{\"t\":2,\"pins\":{\"tang\":$tang,\"tpm2\":$tpm}}"
both_open "sss, two tang and a tpm2, all needed" sss "{\"t\":3,\"pins\":{\"tang\":[$tang,$tang],\"tpm2\":$tpm}}"
both_open "sss, nested twice" sss \
    "{\"t\":2,\"pins\":{\"tpm2\":$tpm,\"sss\":[{\"t\":1,\"pins\":{\"null\":$fail,\"sss\":{\"t\":2,\"pins\":{\"tang\":$tang,\"null\":{}}}}},{\"pins\":{\"null\":$fail}}]}}"

config="{\"t\":2,\"pins\":{\"tang\":$tang,\"null\":[$fail,$fail]}}"
cvm-clevis encrypt sss "$config" <"$work/secret" >"$work/ours.jwe"
stock clevis encrypt sss "$config" <"$work/secret" >"$work/stock.jwe"
fails "stock clevis does not open ours with too few shares" stock clevis decrypt <"$work/ours.jwe"
refuse "we do not open stock clevis' with too few, and say which" 'sss\[[12]\]\.null: refused.*sss\[[12]\]\.null: refused' \
    cvm-clevis decrypt <"$work/stock.jwe"
