# shellcheck shell=bash disable=SC2154
# The cases of run.sh, in the order of a person's first day.

export XDG_CONFIG_HOME=$work/owner
defaults=$XDG_CONFIG_HOME/cvm-clevis
passphrase=$work/passphrase
printf 'correct horse' >"$passphrase"
disk=$work/disk.img
make_image "$disk" "$passphrase" >/dev/null

note "pins without attestation, and stock clevis"
printf 'a secret' >"$work/secret"
policy='{"t":2,"pins":{"null":[{},{},{"fail":true}]}}'
cvm-clevis encrypt sss "$policy" <"$work/secret" >"$work/ours.jwe"
expect "stock clevis opens our sss" sh -c "clevis decrypt <'$work/ours.jwe' | cmp - '$work/secret'"
clevis encrypt sss "$policy" <"$work/secret" >"$work/theirs.jwe"
expect "we open stock clevis' sss" sh -c "cvm-clevis decrypt <'$work/theirs.jwe' | cmp - '$work/secret'"
reject "a broken configuration says where" 'not JSON: line 1, column 5' cvm-clevis encrypt sss '{"t":' <"$work/secret"
misuse "an unknown pin is answered with those that exist" 'tung: malformed: unknown pin tung: this program has ' \
    cvm-clevis encrypt tung '{}' <"$work/secret"
reject "a threshold that cannot be met" 'sss: malformed: configuration: t: is 3; with 2 pins' \
    cvm-clevis encrypt sss '{"t":3,"pins":{"null":[{},{}]}}' <"$work/secret"

note "before anything was set up"
reject "binding before init says what to run" 'url is missing' cvm-clevis luks bind -d "$disk" -k "$passphrase" -p snp-attest
grep -q 'hint:.*cvm-clevis init' "$work/err" || die "no hint to run cvm-clevis init"

note "an operator and two owners"
expect "the broker makes its keys" cvm-clevis-broker init "$work/broker"
expect "the simulator's chain is written" cvm-tee-sim trust "$work/simulator"
start_broker "$work/broker" --trust-simulator "$work/simulator" --collateral "$work/simulator/collateral"
expect "a policy that the simulated guest meets is written" cvm-tee-sim policy --output "$work/policy.json"
expect "an owner is made" \
    cvm-clevis init --broker "$work/broker/public.json" --url "$BROKER_URL" --policy "$work/policy.json"

note "binding"
expect "a bare bind uses the defaults" cvm-clevis luks bind -d "$disk" -k "$passphrase" -p snp-attest
expect "clevis' positional form works" cvm-clevis luks bind -d "$disk" -k "$passphrase" sss \
    '{"t":2,"pins":{"snp-attest":{},"null":{}}}'
expect "a passphrase on standard input works" sh -c "cvm-clevis luks bind -d '$disk' -p null -c '{}' <'$passphrase'"
expect "cryptsetup still opens it with the passphrase" \
    cryptsetup open --test-passphrase --key-file "$passphrase" "$disk"
cvm-clevis luks list -d "$disk" >"$work/list"
expect "three bindings are listed" test "$(wc -l <"$work/list")" = 3
expect "one of them is removed" cvm-clevis luks unbind -d "$disk" -s 3 -f
expect "stock clevis lists what is left" sh -c "clevis luks list -d '$disk' | wc -l | grep -qx 2"
expect "the guest's configuration is written" \
    cvm-clevis boot-config create -d "$disk" --name root --output "$work/boot.json"

expect "one that allows only attestation, too" cvm-clevis boot-config create -d "$disk" --pin snp-attest \
    --output "$work/attested-only.json"

note "room in a header"
# The bar of the format: a default header (16 KiB) holds three thresholds of two attested pins each.
full=$work/full.img
make_image "$full" "$passphrase" >/dev/null
for count in 1 2 3; do
    expect "binding $count of three, a threshold of two attested pins, fits" cvm-clevis luks bind -d "$full" -k "$passphrase" \
        -p sss -c '{"t":2,"pins":{"snp-attest":[{},{"url":"https://second.example.net:8443"}]}}'
done
size=$(cryptsetup token export --token-id 0 "$full" | wc -c)
expect "its token has $size bytes, at most 3584" test "$size" -le 3584
size=$(printf '%064d' 0 | cvm-clevis encrypt snp-attest | wc -c)
expect "one attested share has $size characters, at most 1200" test "$size" -le 1200
for count in 4 5; do cvm-clevis luks bind -d "$full" -k "$passphrase" -p snp-attest >/dev/null 2>&1 || true; done
disk_before=$disk disk=$full
reject "a token that does not fit changes nothing" 'no room' cvm-clevis luks bind -d "$full" -k "$passphrase" \
    -p sss -c '{"t":2,"pins":{"snp-attest":[{},{}]}}'
disk=$disk_before

expect "help calls a command by its whole name" sh -c "cvm-clevis luks bind --help | grep -q '^USAGE: cvm-clevis luks bind '"

note "bad input to bind changes nothing"
printf 'wrong' >"$work/wrong"
reject "a wrong passphrase" 'passphrase' cvm-clevis luks bind -d "$disk" -k "$work/wrong" -p snp-attest
reject "a broken configuration" 'not JSON: line 1' cvm-clevis luks bind -d "$disk" -k "$passphrase" -p sss -c '{"t"'
misuse "an unknown pin" 'unknown pin tung' cvm-clevis luks bind -d "$disk" -k "$passphrase" -p tung -c '{}'
reject "a missing file" 'No such file' cvm-clevis luks bind -d "$work/none.img" -k "$passphrase" -p null
head -c 1M /dev/zero >"$work/zero.img"
reject "not a LUKS2 device" 'not LUKS2: no LUKS header' cvm-clevis luks bind -d "$work/zero.img" -k "$passphrase" -p null
{ printf 'QFI\373\0\0\0\3'; head -c 1M /dev/zero; } >"$work/disk.qcow2"
reject "a qcow2 image is told what to do" 'qcow2' cvm-clevis luks bind -d "$work/disk.qcow2" -k "$passphrase" -p null
truncate -s 32M "$work/luks1.img"
cryptsetup luksFormat --batch-mode --type luks1 --pbkdf-force-iterations 1000 "$work/luks1.img" "$passphrase"
reject "LUKS1 is told what to do" 'LUKS1.* cryptsetup convert --type luks2' cvm-clevis luks bind -d "$work/luks1.img" -k "$passphrase" -p null
unmeasured=$(python3 -c 'import json,sys; p=json.load(open(sys.argv[1])); p["covers"]=["firmware"]; print(json.dumps({"policy":p}))' "$work/policy.json")
silent=$(python3 -c 'import json,sys; p=json.load(open(sys.argv[1])); del p["covers"]; print(json.dumps({"policy":p}))' "$work/policy.json")
reject "a policy that does not say what its measurement covers" 'policy.covers: is missing' \
    cvm-clevis luks bind -d "$disk" -k "$passphrase" -p snp-attest -c "$silent"
reject "a policy that leaves the initrd unmeasured" 'initrd' \
    cvm-clevis luks bind -d "$disk" -k "$passphrase" -p snp-attest -c "$unmeasured"

reject "a pin that the guest's boot.json does not allow" 'does not allow' cvm-clevis luks bind -d "$disk" -k "$passphrase" \
    --boot-config "$work/attested-only.json" -p null -c '{}'

uuid=$(cryptsetup luksUUID "$disk")
expect "a boot.json is written for a volume that is not bound yet" cvm-clevis boot-config create --uuid "$uuid" \
    --pin snp-attest --mode 'snp-attest={"mode":"derived","guest_svn":4}' --output "$work/derived-only.json"
reject "a mode that the guest's boot.json does not allow" 'not to be asked in the mode' cvm-clevis luks bind -d "$disk" \
    -k "$passphrase" --boot-config "$work/derived-only.json" -p snp-attest
reject "a volume that the guest's boot.json does not name" 'names no volume with UUID' cvm-clevis luks bind -d "$full" \
    -k "$passphrase" --boot-config "$work/boot.json" -p snp-attest
reject "another name than the guest's boot.json has" 'calls this volume root, not data' cvm-clevis luks bind -d "$disk" \
    -k "$passphrase" --boot-config "$work/boot.json" --name data -p snp-attest
cp "$work/boot.json" "$work/two.json"
expect "a second volume joins a boot.json" cvm-clevis boot-config create --uuid 0d6bf2a0-6a53-4b4f-9d0a-0f1b5c2f9e11 \
    --name data --pin snp-attest --keep --output "$work/two.json"
expect "and the first one stays" sh -c "grep -q '$uuid' '$work/two.json' && grep -q 0d6bf2a0- '$work/two.json'"
expect "a UUID alone does not say which pins to allow" sh -c "cvm-clevis boot-config create --uuid '$uuid' 2>&1 | grep -q 'takes --pin'"

one_vm=$(python3 -c 'import json,sys; p=json.load(open(sys.argv[1])); p["host_data"]="A"*42+"E"; print(json.dumps({"policy":p}))' "$work/policy.json")
make_image "$work/one.img" "$passphrase" >/dev/null
expect "a policy for one VM is bound" cvm-clevis luks bind -d "$work/one.img" -k "$passphrase" -p snp-attest -c "$one_vm"
expect "and its instance is part of what the owner signed" sh -c \
    "cvm-clevis luks list -d '$work/one.img' --json | grep -q '\"instance\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"'"

note "unlocking"
reject "an owner who is not enrolled" 'snp-attest: refused: .*not enrolled' guest -- cvm-clevis-unlock \
    --boot-config "$work/boot.json" --device "root=$disk" --test
expect "the owner is enrolled" cvm-clevis-broker owner add "$work/broker" first "$defaults/owner.pub.jwk"
expect "a guest opens the volume" guest -- cvm-clevis-unlock --boot-config "$work/boot.json" --device "root=$disk" --test
expect "the owner's command line opens it too" guest -- cvm-clevis luks unlock -d "$disk" --test
unavailable "a kernel without configfs-tsm" 'no configfs-tsm' cvm-clevis-unlock \
    --boot-config "$work/boot.json" --device "root=$disk" --test
unavailable "no TEE" 'not a confidential VM' cvm-tee-sim run --tee none -- cvm-clevis-unlock \
    --boot-config "$work/boot.json" --device "root=$disk" --test
reject "another measurement" 'measurement' guest --measurement "$(printf '00%.0s' {1..48})" -- \
    cvm-clevis-unlock --boot-config "$work/boot.json" --device "root=$disk" --test
reject "a tampered report" 'signature' guest --fault tampered-report -- \
    cvm-clevis-unlock --boot-config "$work/boot.json" --device "root=$disk" --test
reject "evidence for another nonce" 'report' guest --fault wrong-report-data -- \
    cvm-clevis-unlock --boot-config "$work/boot.json" --device "root=$disk" --test

note "evidence and policies in files"
expect "a guest asks for evidence" guest -- cvm-clevis evidence get --nonce 00112233445566778899aabbccddeeff \
    --output "$work/evidence.json"
expect "it is shown" sh -c "cvm-clevis evidence show '$work/evidence.json' | grep -q '^  measurement  *[0-9a-f]\{96\}$'"
expect "it is genuine, fresh and wanted" cvm-clevis evidence verify "$work/evidence.json" --policy "$work/policy.json" \
    --trust-simulator "$work/simulator" --nonce 00112233445566778899aabbccddeeff
status() { local wanted=$1; shift; "$@" >/dev/null 2>&1 && return 1; [ $? = "$wanted" ]; }
expect "for another nonce it is refused, with status 1" status 1 cvm-clevis evidence verify "$work/evidence.json" \
    --trust-simulator "$work/simulator" --nonce 00
expect "AMD knows nothing of the simulator: status 1" status 1 cvm-clevis evidence verify "$work/evidence.json"
guest -- cvm-clevis evidence get --raw --output "$work/report.bin" 2>/dev/null
expect "without its certificate nobody can tell: status 2" status 2 cvm-clevis evidence verify "$work/report.bin" \
    --trust-simulator "$work/simulator"
expect "a policy is learnt from it" cvm-clevis evidence learn "$work/evidence.json" --trust-simulator "$work/simulator" \
    --covers firmware,kernel,initrd,cmdline --output "$work/learnt.json"
expect "and accepts it" cvm-clevis evidence verify "$work/evidence.json" --policy "$work/learnt.json" \
    --trust-simulator "$work/simulator"
expect "and is one that a binding takes" cvm-clevis policy check "$work/learnt.json"
expect "it is explained" sh -c "cvm-clevis policy explain '$work/learnt.json' | grep -q 'measurement  *[0-9a-f]\{96\}$'"
python3 -c 'import json,sys; print(json.dumps(json.loads(sys.argv[1])["policy"]))' "$unmeasured" >"$work/unmeasured.json"
reject "one that leaves the initrd out is not taken" 'covers: leaves the initrd unmeasured' \
    cvm-clevis policy check "$work/unmeasured.json"

note "reference values"
values() { # values VERSION: a set with the measurement of the policy
    python3 -c 'import json,sys; p=json.load(open(sys.argv[1])); print(json.dumps({"name":"root-image","version":int(sys.argv[2]),
        "covers":p["covers"],"snp":{"measurement":p["measurement"]}}))' "$work/policy.json" "$1"
}
make_image "$work/referring.img" "$passphrase" >/dev/null
referring='{"policy":{"covers":["firmware","kernel","initrd","cmdline"],"reference":"root-image"}}'
expect "a policy that names a set is bound" cvm-clevis luks bind -d "$work/referring.img" -k "$passphrase" -p snp-attest \
    -c "$referring"
expect "its guest trusts the owner" cvm-clevis boot-config create -d "$work/referring.img" --output "$work/referring.json"
reject "no set, no share" 'reference is unknown' guest -- cvm-clevis-unlock --boot-config "$work/referring.json" \
    --device "root=$work/referring.img" --test
values 2 >"$work/values.json"
expect "the owner signs a set" cvm-clevis refvalues sign "$work/values.json" --days 7 -o "$work/set.jws"
expect "which verifies, and says that it ends soon" sh -c \
    "cvm-clevis refvalues verify '$work/set.jws' 2>&1 | grep -q 'warning: .*root-image version 2 expire in'"
expect "the broker takes it in" cvm-clevis-broker refvalues add "$work/broker" "$work/set.jws"
expect "and the guest gets its share, without another binding" guest -- cvm-clevis-unlock \
    --boot-config "$work/referring.json" --device "root=$work/referring.img" --test
values 1 | cvm-clevis refvalues sign - -o "$work/old.jws" 2>/dev/null
reject "an older version is refused" 'not newer than root-image version 2' \
    cvm-clevis-broker refvalues add "$work/broker" "$work/old.jws"

note "one image, two TEEs"
original_disk=$disk
disk=$work/either.img
make_image "$disk" "$passphrase" >/dev/null
either='{"t":1,"pins":{"snp-attest":{},"tdx-attest":{}}}'
reject "binding for TDX without a policy for it says what to run" 'tdx-attest: malformed: .*policy is missing' \
    cvm-clevis luks bind -d "$disk" -k "$passphrase" -p sss -c "$either"
expect "a policy that the simulated TDX guest meets is written" cvm-tee-sim policy --tee tdx --output "$work/tdx.json"
expect "it becomes a default beside the other" cvm-clevis init --tdx-policy "$work/tdx.json"
expect "an image is bound once, for either" cvm-clevis luks bind -d "$disk" -k "$passphrase" -p sss -c "$either"
expect "its guest's configuration is written" cvm-clevis boot-config create -d "$disk" --name root --output "$work/either.json"
unlock=(cvm-clevis-unlock --boot-config "$work/either.json" --device "root=$disk" --test)
expect "a SEV-SNP guest opens it" guest -- "${unlock[@]}"
expect "a SEV-SNP guest whose cloud loads its own key opens it" guest --vlek -- "${unlock[@]}"
expect "a TDX guest opens it" tdx_guest -- "${unlock[@]}"
expect "a TDX guest with a quote of version 5 opens it" tdx_guest --quote-version 5 --padding 64 -- "${unlock[@]}"
unavailable "a machine without a TEE" 'not a confidential VM' cvm-tee-sim run --tee none -- "${unlock[@]}"
reject "another firmware" 'mrtd is' tdx_guest --mrtd "$(printf '00%.0s' {1..48})" -- "${unlock[@]}"
reject "another initrd" 'rtmr2 is' tdx_guest --rtmr2 "$(printf '00%.0s' {1..48})" -- "${unlock[@]}"
reject "a guest that can be debugged" 'debug is on' tdx_guest --td-attributes 10000001 -- "${unlock[@]}"
reject "a platform that is out of date" 'OutOfDate' tdx_guest --qe-svn 2 -- "${unlock[@]}"
reject "a tampered quote" 'quote signature' tdx_guest --fault tampered-report -- "${unlock[@]}"
reject "a platform whose key is revoked" 'revoked' tdx_guest --fault revoked-certificate -- "${unlock[@]}"
reject "a quote by another key than the enclave's" 'attestation key' tdx_guest --fault swapped-key -- "${unlock[@]}"
reject "a certificate that is not signed as AMD signs" 'not signed' guest --fault pkcs1-signature -- "${unlock[@]}"
changed=$(python3 -c 'import json,sys
snp, tdx = (json.load(open(path)) for path in sys.argv[1:])
snp["measurement"] = tdx["mrtd"] = ["A" * 63 + "B"]
print(json.dumps({"t": 1, "pins": {"snp-attest": {"policy": snp}, "tdx-attest": {"policy": tdx}}}))' \
    "$work/policy.json" "$work/tdx.json")
disk=$work/changed.img
make_image "$disk" "$passphrase" >/dev/null
expect "an image is bound for other measurements" cvm-clevis luks bind -d "$disk" -k "$passphrase" -p sss -c "$changed"
expect "its guest's configuration is written, too" \
    cvm-clevis boot-config create -d "$disk" --name root --output "$work/changed.json"
unlock=(cvm-clevis-unlock --boot-config "$work/changed.json" --device "root=$disk" --test)
reject "the SEV-SNP guest does not open it" 'measurement is' guest -- "${unlock[@]}"
reject "nor does the TDX guest" 'mrtd is' tdx_guest -- "${unlock[@]}"
disk=$original_disk

note "our pins in stock clevis"
mkdir "$work/bin"
for name in clevis-encrypt-snp-attest clevis-decrypt-snp-attest; do ln -s "$(command -v cvm-clevis)" "$work/bin/$name"; done
PATH=$work/bin:$PATH
clevis encrypt sss '{"t":2,"pins":{"snp-attest":{},"null":{}}}' <"$work/secret" >"$work/stock.jwe"
expect "clevis opens an sss with our attested pin, in a guest" \
    guest -- sh -c "clevis decrypt <'$work/stock.jwe' | cmp - '$work/secret'"
expect "clevis binds a volume to it" sh -c \
    "clevis luks bind -f -k '$passphrase' -d '$work/one.img' snp-attest '{}'"
expect "and opens that" guest -- clevis luks unlock -d "$work/one.img" -t 2
reject "the program of one pin opens no other's message" 'pin null, not snp-attest' \
    sh -c "cvm-clevis encrypt null '{}' <'$work/secret' | clevis-decrypt-snp-attest"

note "a hostile disk"
original=$disk
disk=$work/hostile.img
Tests/EndToEnd/null-cipher.py "$original" "$disk"
reject "a null cipher in the segment" 'cipher_null' guest -- cvm-clevis-unlock \
    --boot-config "$work/boot.json" --device "root=$disk" --test
Tests/EndToEnd/foreign-disk.sh "$original" "$disk" "$work" "$BROKER_URL"
cvm-clevis-broker owner add "$work/broker" second "$work/second/cvm-clevis/owner.pub.jwk" >/dev/null
reject "another enrolled owner's disk with the same UUID" 'sign' guest -- cvm-clevis-unlock \
    --boot-config "$work/boot.json" --device "root=$disk" --test
cp "$original" "$disk"
token=$(mktemp -p "$work")
cryptsetup token export --token-id 0 "$disk" |
    python3 -c 'import json,sys; t=json.load(sys.stdin); del t["cvm-clevis"]["signature"]; print(json.dumps(t))' >"$token"
cryptsetup token import --token-id 0 --token-replace --json-file "$token" "$disk"
cryptsetup token remove --token-id 1 "$disk"
reject "a stripped signature" 'sign' guest -- cvm-clevis-unlock \
    --boot-config "$work/boot.json" --device "root=$disk" --test

note "the broker goes away"
disk=$original
stop_broker
unavailable "an unreachable broker is named, with the time it took" "unavailable: .*$BROKER_URL" guest -- \
    cvm-clevis-unlock --boot-config "$work/boot.json" --device "root=$disk" --test
