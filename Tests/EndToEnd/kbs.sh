# shellcheck shell=bash disable=SC2154
# The guest's side of the KBS protocol: mode kbs of snp-attest and tdx-attest, and pin trustee, with a server that shares no code with
# them and behaves as Trustee does (trustee.py), and with our own broker.

export XDG_CONFIG_HOME=$work/kbs-owner
passphrase=$work/passphrase
printf 'correct horse' >"$passphrase"
printf 'a secret' >"$work/secret"
resources=$work/resources
mkdir -p "$resources/default/disk" "$resources/default/clevis"
head -c 32 /dev/urandom >"$resources/default/disk/root"
head -c 32 /dev/urandom >"$resources/default/disk/data"
printf 'short' >"$resources/default/disk/short"
printf '{"key_type":"oct","key":"%s"}' "$(head -c 24 /dev/urandom | base64)" >"$resources/default/clevis/root"
servers=0

# start_trustee VERSION [OPTIONS…]: sets TRUSTEE_URL, and TRUSTEE_LOG.
start_trustee() {
    servers=$((servers + 1))
    TRUSTEE_LOG=$work/trustee-$servers.log
    # Its standard input never ends; stop_peers ends it.
    tail -f /dev/null | python3 Tests/EndToEnd/trustee.py "$resources" --version "$@" >"$work/trustee-$servers.url" 2>"$TRUSTEE_LOG" &
    peers+=($!)
    until [ -s "$work/trustee-$servers.url" ]; do sleep 0.05; done
    TRUSTEE_URL=$(cat "$work/trustee-$servers.url")
}

# asked METHOD PATH COUNT: how often the latest server was asked for it.
asked() { [ "$(grep -c "^$1 $2 " "$TRUSTEE_LOG")" = "$3" ]; }

# kbs URL RESOURCE [MEMBERS]: a configuration of mode kbs.
kbs() { printf '{"mode":"kbs","url":"%s","resource":"%s"%s}' "$1" "$2" "${3:-}"; }

note "a server that takes one version of the KBS protocol, whichever it is"
for version in 0.4.0 0.2.0 0.1.1; do
    start_trustee "$version"
    cvm-clevis encrypt snp-attest "$(kbs "$TRUSTEE_URL" default/disk/root ",\"file\":\"$resources/default/disk/root\"")" \
        <"$work/secret" >"$work/kbs.jwe"
    expect "$version: who has the resource binds offline" test ! -s "$TRUSTEE_LOG"
    expect "$version: an SEV-SNP guest opens it" guest -- sh -c "cvm-clevis decrypt <'$work/kbs.jwe' | cmp - '$work/secret'"
    expect "$version: with one report and one request" sh -c \
        "grep -c 'POST /kbs/v0/attest 200' '$TRUSTEE_LOG' | grep -qx 1 && grep -c 'GET .* 200' '$TRUSTEE_LOG' | grep -qx 1"
    expect "$version: a TDX guest binds with what the server gives, and opens it" tdx_guest -- sh -c \
        "cvm-clevis encrypt tdx-attest '$(kbs "$TRUSTEE_URL" default/disk/root)' <'$work/secret' | cvm-clevis decrypt | cmp - '$work/secret'"
    trustee="{\"servers\":[{\"url\":\"$TRUSTEE_URL\",\"cert\":\"\"}],\"path\":\"default/clevis/root\"}"
    expect "$version: so does pin trustee on either TEE" sh -c \
        "cvm-tee-sim run --tee snp -- cvm-clevis encrypt trustee '$trustee' <'$work/secret' >'$work/trustee.jwe' &&
            cvm-tee-sim run --tee tdx -- cvm-clevis decrypt <'$work/trustee.jwe' | cmp - '$work/secret'"
done
reject "a machine without a TEE asks nobody" 'snp-attest: unavailable: report' \
    cvm-tee-sim run --tee none -- sh -c "cvm-clevis decrypt <'$work/kbs.jwe'"
reject "binding there without the resource says what is missing" 'say what the resource holds: "file":"PATH"' \
    cvm-tee-sim run --tee none -- sh -c "cvm-clevis encrypt snp-attest '$(kbs "$TRUSTEE_URL" default/disk/root)' <'$work/secret'"
ln -s "$(command -v cvm-clevis)" "$work/clevis-decrypt-trustee"
expect "linked as clevis-decrypt-trustee it takes that program's place" guest -- sh -c \
    "'$work/clevis-decrypt-trustee' <'$work/trustee.jwe' | cmp - '$work/secret'"

note "what servers do"
start_trustee 0.4.0 --stale-cookies
expect "a guest whose clock is ahead has its session all the same" guest -- sh -c \
    "cvm-clevis encrypt snp-attest '$(kbs "$TRUSTEE_URL" default/disk/root)' <'$work/secret' | cvm-clevis decrypt | cmp - '$work/secret'"
start_trustee 0.4.0 --deny
reject "a denial is final" 'snp-attest: refused: resource/default/disk/root: .*HTTP 401 PolicyDeny' \
    guest -- sh -c "cvm-clevis encrypt snp-attest '$(kbs "$TRUSTEE_URL" default/disk/root)' <'$work/secret'"
expect "and the guest attested once" asked POST /kbs/v0/attest 1
start_trustee 0.4.0
reject "a resource that is not there may come" 'HTTP 401 PluginInternalError' \
    guest -- sh -c "cvm-clevis encrypt snp-attest '$(kbs "$TRUSTEE_URL" default/disk/none)' <'$work/secret'"
reject "one that is no key is refused" 'is 5 bytes, not 32' \
    guest -- sh -c "cvm-clevis encrypt snp-attest '$(kbs "$TRUSTEE_URL" default/disk/short)' <'$work/secret'"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/tls.key" -out "$work/tls.pem" -days 2 \
    -subj /CN=kbs -addext subjectAltName=IP:127.0.0.1 2>/dev/null
pin=$(openssl x509 -in "$work/tls.pem" -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary |
    base64 | tr '+/' '-_' | tr -d =)
start_trustee 0.2.0 --tls "$work/tls.pem" "$work/tls.key"
expect "its TLS key is pinned" guest -- sh -c \
    "cvm-clevis encrypt snp-attest '$(kbs "$TRUSTEE_URL" default/disk/root ",\"tls\":\"$pin\"")' <'$work/secret' | cvm-clevis decrypt | cmp - '$work/secret'"
reject "another server's is not taken" 'not the pinned one|refused' guest -- sh -c \
    "cvm-clevis encrypt snp-attest '$(kbs "$TRUSTEE_URL" default/disk/root ",\"tls\":\"$(printf '%043d' 0 | tr 0 A)\"")' <'$work/secret'"
reject "nor one that no authority vouches for" 'snp-attest: refused: auth' guest -- sh -c \
    "cvm-clevis encrypt snp-attest '$(kbs "$TRUSTEE_URL" default/disk/root)' <'$work/secret'"
python3 -c 'import json, sys
print(json.dumps({"servers": [{"url": "http://127.0.0.1:9/", "cert": ""}, {"url": sys.argv[1] + "/", "cert": open(sys.argv[2]).read()}],
    "path": "default/clevis/root"}))' "$TRUSTEE_URL" "$work/tls.pem" >"$work/trustee.json"
expect "pin trustee goes on to the next server, and believes the certificate that it is given" guest -- sh -c \
    "cvm-clevis encrypt trustee \"\$(cat '$work/trustee.json')\" <'$work/secret' | cvm-clevis decrypt | cmp - '$work/secret'"

note "a volume that a Trustee's resource opens"
cvm-clevis init 2>/dev/null
start_trustee 0.4.0
disk=$work/kbs.img
make_image "$disk" "$passphrase" >/dev/null
expect "it is bound on a laptop" cvm-clevis luks bind -d "$disk" -k "$passphrase" -p snp-attest \
    -c "$(kbs "$TRUSTEE_URL" default/disk/root ",\"file\":\"$resources/default/disk/root\"")"
expect "the disk does not have the resource" python3 -c 'import sys
secret, disk = (open(path, "rb").read() for path in sys.argv[1:])
sys.exit(secret in disk)' "$resources/default/disk/root" "$disk"
expect "the binding is listed" sh -c "cvm-clevis luks list -d '$disk' | grep -q '\"mode\":\"kbs\",\"url\":\"$TRUSTEE_URL\",\"resource\":\"default/disk/root\"'"
expect "its guest's configuration pins server and resource" sh -c \
    "cvm-clevis boot-config create -d '$disk' --name root --output '$work/kbs.json' && grep -q '\"resource\": *\"default/disk/root\"' '$work/kbs.json'"
unlock=(cvm-clevis-unlock --device "root=$disk" --test --boot-config)
expect "the guest opens it" guest -- "${unlock[@]}" "$work/kbs.json"
both="[$(kbs "$TRUSTEE_URL" default/disk/root),$(kbs "$TRUSTEE_URL" default/disk/data)]"
expect "two resources of one server, both of which are needed, take one report" guest -- sh -c \
    "cvm-clevis encrypt sss '{\"t\":2,\"pins\":{\"snp-attest\":$both}}' <'$work/secret' >'$work/both.jwe' && : >'$TRUSTEE_LOG' &&
        cvm-clevis decrypt <'$work/both.jwe' | cmp - '$work/secret' && grep -c /attest '$TRUSTEE_LOG' | grep -qx 1 &&
        grep -c 'GET .* 200' '$TRUSTEE_LOG' | grep -qx 2"
sed 's/"modes"/"unused"/' "$work/kbs.json" | python3 -c 'import json, sys
config = json.load(sys.stdin)
for volume in config["volumes"]: volume.pop("unused")
json.dump(config, sys.stdout)' >"$work/no-modes.json"
reject "but not where its boot.json does not allow the mode" 'mode' guest -- "${unlock[@]}" "$work/no-modes.json"
sed 's,default/disk/root,default/disk/data,' "$work/kbs.json" >"$work/other.json"
reject "nor with another resource than it names" 'mode' guest -- "${unlock[@]}" "$work/other.json"
sed 's,http://127.0.0.1:[0-9]*,https://other.example,' "$work/kbs.json" >"$work/elsewhere.json"
reject "nor at another server" 'mode' guest -- "${unlock[@]}" "$work/elsewhere.json"
foreign=$work/foreign-kbs.img
make_image "$foreign" "$passphrase" --uuid "$(cryptsetup luksUUID "$disk")" >/dev/null
mkdir -p "$work/stranger"
expect "a stranger binds a disk of the same UUID to the same resource" env XDG_CONFIG_HOME="$work/stranger" sh -c \
    "cvm-clevis init 2>/dev/null && cvm-clevis luks bind -d '$foreign' -k '$passphrase' -p snp-attest \
        -c '$(kbs "$TRUSTEE_URL" default/disk/root ",\"file\":\"$resources/default/disk/root\"")'"
disk=$foreign
: >"$TRUSTEE_LOG"
reject "which the guest refuses before it asks anybody" 'signature|owner' guest -- cvm-clevis-unlock --boot-config "$work/kbs.json" \
    --device "root=$foreign" --test
expect "nobody was asked" test ! -s "$TRUSTEE_LOG"
disk=$work/kbs.img
expect "a check on the laptop asks the server" sh -c \
    "cvm-clevis luks check -d '$disk' --boot-config '$work/kbs.json' | grep -q 'the server at $TRUSTEE_URL answers'"
expect "in the guest it is made anew from what the server gives" guest -- sh -c \
    "XDG_CONFIG_HOME='$XDG_CONFIG_HOME' cvm-clevis luks regen -d '$disk' -s 1 -q && cvm-clevis luks unlock -d '$disk' --test"

note "our own broker as the server"
expect "a broker is set up" sh -c "cvm-clevis-broker init '$work/kbs-broker' && cvm-tee-sim trust '$work/kbs-simulator' &&
    cvm-tee-sim policy --output '$work/kbs-policy.json'"
start_broker "$work/kbs-broker" --trust-simulator "$work/kbs-simulator" --collateral "$work/kbs-simulator/collateral"
cvm-clevis-broker owner add "$work/kbs-broker" alice "$XDG_CONFIG_HOME/cvm-clevis/owner.pub.jwk" >/dev/null
for name in disk/root clevis/root; do
    cvm-clevis-broker resource set "$work/kbs-broker" "default/$name" "$resources/default/$name" --owner alice \
        --policy "$work/kbs-policy.json" >/dev/null
done
python3 -c 'import json, sys
print(json.dumps({"servers": [{"url": sys.argv[1], "cert": open(sys.argv[2]).read()}], "path": "default/clevis/root"}))' \
    "$BROKER_URL" "$work/kbs-broker/tls-cert.pem" >"$work/our-trustee.json"
tls=$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["tls"])' "$work/kbs-broker/public.json")
for version in 0.4.0 0.2.0 0.1.1; do
    expect "$version: a guest that the resource's policy wants gets it" guest -- sh -c \
        "cvm-clevis encrypt snp-attest '$(kbs "$BROKER_URL" default/disk/root ",\"tls\":\"$tls\",\"version\":\"$version\"")' <'$work/secret' |
            cvm-clevis decrypt | cmp - '$work/secret'"
done
expect "pin trustee opens with what it stores" guest -- sh -c \
    "cvm-clevis encrypt trustee \"\$(cat '$work/our-trustee.json')\" <'$work/secret' | cvm-clevis decrypt | cmp - '$work/secret'"
reject "another guest does not" 'snp-attest: refused: .*HTTP 403 PolicyDeny' guest --vmpl 2 -- sh -c \
    "cvm-clevis encrypt snp-attest '$(kbs "$BROKER_URL" default/disk/root ",\"tls\":\"$tls\"")' <'$work/secret'"
reject "what is not there may come" 'HTTP 404' guest -- sh -c \
    "cvm-clevis encrypt snp-attest '$(kbs "$BROKER_URL" default/disk/none ",\"tls\":\"$tls\"")' <'$work/secret'"
stop_broker
stop_peers
