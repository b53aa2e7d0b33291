# shellcheck shell=bash disable=SC2154
# A hostile host gives a genuine guest another disk, header or token. The broker would answer; nobody may be asked.

prepare_owner "$work" 10.0.2.2
genuine=$work/genuine.img
cp "$plain" "$genuine"
quietly cvm-clevis luks bind -d "$genuine" -k "$passphrase" -p snp-attest
quietly cvm-clevis boot-config create -d "$genuine" --output "$work/genuine.json"
make_initrd genuine "$work/genuine.json"
hostile=$work/hostile.img

Tests/EndToEnd/null-cipher.py "$genuine" "$hostile" --keyslots
stays_closed "keyslots in the clear, with a volume key of the host's" 'root.*cipher_null' "$initrd" "$hostile"
Tests/EndToEnd/null-cipher.py "$genuine" "$hostile" --keyslots --segment
stays_closed "and data in the clear, too" 'root.*cipher_null' "$initrd" "$hostile"

# replace_token TOKEN: of a copy of the genuine disk.
replace_token() {
    cp "$genuine" "$hostile"
    cryptsetup token import --token-id 0 --token-replace --json-file "$1" "$hostile"
}
# token_of PIN CONFIG: a token that a binding with that pin has, of another disk.
token_of() {
    cp "$plain" "$work/other.img"
    quietly cvm-clevis luks bind -y -d "$work/other.img" -k "$passphrase" -p "$1" -c "$2"
    cryptsetup token export --token-id 0 "$work/other.img" >"$work/token.json"
}
cryptsetup token export --token-id 0 "$genuine" | jq -c 'del(."cvm-clevis".signature)' >"$work/token.json"
replace_token "$work/token.json"
stays_closed "a stripped signature" 'root.*signature' "$initrd" "$hostile"
token_of null '{}'
replace_token "$work/token.json"
stays_closed "a token of the pin null in its place" 'root.*signature' "$initrd" "$hostile"
start_tang host-tang
token_of tang "{\"url\":\"$TANG_URL\"}"
stop_peers
replace_token "$work/token.json"
stays_closed "a token for a tang server of the host's" 'root.*signature' "$initrd" "$hostile"

XDG_CONFIG_HOME=$work/second enrol_owner "$work" second 10.0.2.2
cp "$plain" "$hostile"
XDG_CONFIG_HOME=$work/second quietly cvm-clevis luks bind -d "$hostile" -k "$passphrase" -p snp-attest
stays_closed "the disk of another enrolled owner with the same UUID" 'root.*sign' "$initrd" "$hostile"
stop_broker
