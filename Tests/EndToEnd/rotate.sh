# shellcheck shell=bash disable=SC2154
# Keys of a broker change while it serves: what was bound before opens, and so does what is bound after.

XDG_CONFIG_HOME=$work/rotating-owner
export XDG_CONFIG_HOME
rotating=$work/rotating
passphrase=$work/rotating-passphrase
printf 'correct horse' >"$passphrase"
mkdir "$rotating"
prepare_owner "$rotating"
url=$BROKER_URL

# bind_disk NAME: a new image that opens with attestation only.
bind_disk() {
    disk=$work/rotating-$1.img
    make_image "$disk" "$passphrase" >/dev/null
    cvm-clevis luks bind -d "$disk" -k "$passphrase" -p snp-attest >/dev/null 2>&1
    cvm-clevis boot-config create -d "$disk" --name root --output "$disk.json"
}

# opens NAME: the image opens in a guest.
opens() {
    guest -- cvm-clevis-unlock --boot-config "$work/rotating-$1.img.json" --device "root=$work/rotating-$1.img" --test
}

# key STATE PURPOSE: its id.
key() {
    cvm-clevis-broker keys list "$rotating/broker" | awk -v state="$1" -v purpose="$2" '$1 == purpose && $3 == state {print $2}'
}

note "keys that change while a broker serves"
bind_disk old
expect "a binding opens" opens old
old=$(key current envelope)
for purpose in nonce cookie token envelope; do
    expect "the $purpose key is rotated" cvm-clevis-broker rotate "$purpose" "$rotating/broker"
    expect "a binding of before opens at once" opens old
done
expect "a TLS key is announced" cvm-clevis-broker rotate tls "$rotating/broker"
quietly cvm-clevis init --broker "$rotating/broker/public.json" --url "$url"
bind_disk new
expect "a binding to the new envelope key opens" opens new
sleep 16
for name in old new; do expect "the $name one opens when all new keys are in use" opens "$name"; done
reject "the current key cannot be retired" 'is the current envelope key' \
    cvm-clevis-broker rotate envelope "$rotating/broker" --retire "$(key current envelope)"
expect "the old envelope key is retired" cvm-clevis-broker rotate envelope "$rotating/broker" --retire "$old"
sleep 6
disk=$work/rotating-old.img
reject "what was bound to it stays closed" 'EvidenceRefused|refused' guest -- \
    cvm-clevis-unlock --boot-config "$disk.json" --device "root=$disk" --test
expect "what was bound to the new one opens" opens new
served=$(key current tls)
expect "the TLS key that was served before is retired" cvm-clevis-broker rotate tls "$rotating/broker" --retire "$served"
sleep 6
[ "$(key current tls)" != "$served" ] || die "the TLS key did not change"
expect "what pins both TLS keys opens" opens new
stop_broker
