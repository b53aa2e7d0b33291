# shellcheck shell=bash disable=SC2154
# Cases of run.sh: bindings that change, by us and by stock clevis, with an owner, a broker and tang servers.

export XDG_CONFIG_HOME=$work/changer
passphrase=$work/change.key
printf 'correct horse' >"$passphrase"
mkdir -p "$work/change"
prepare_owner "$work/change" >/dev/null
disk=$work/change.img
make_image "$disk" "$passphrase" --luks2-metadata-size 64k >/dev/null
start_tang change-tang
tang="{\"url\":\"$TANG_URL\"}"
start_tpm change-tpm

# what_is MEMBER [FILTER]: of the bindings, in order of their keyslots.
what_is() { cvm-clevis luks list -d "$disk" --json | jq -c ".[] | $1"; }
keyslots() { cryptsetup luksDump --dump-json-metadata "$disk" | jq -r '.keyslots | keys | join(" ")'; }
# A command that fails after it has said what it is about; what it said stays in $work/words.
reject_loud() {
    ! "$@" || return 1
    cp "$work/err" "$work/words"
}
same() { [ "$1" = "$2" ] || { printf 'first:  %s\nsecond: %s\n' "$1" "$2" >&2; return 1; }; }

note "lists"
listed=$work/listed.img
make_image "$listed" "$passphrase" --luks2-metadata-size 64k >/dev/null
pcrs='{"pcr_bank":"sha256","pcr_ids":"16,7"}'
expect "clevis binds to tang" clevis luks bind -y -f -k "$passphrase" -d "$listed" tang "$tang"
expect "and to tpm2" clevis luks bind -y -f -k "$passphrase" -d "$listed" tpm2 "$pcrs"
expect "and to thresholds" clevis luks bind -y -f -k "$passphrase" -d "$listed" sss \
    "{\"t\":2,\"pins\":{\"tpm2\":$pcrs,\"sss\":{\"t\":1,\"pins\":{\"tang\":$tang}},\"tang\":[$tang,$tang]}}"
# Without a resource manager stock clevis' sessions stay in the TPM, which has room for three.
tpm2_flushcontext --loaded-session
expect "we bind to tang" cvm-clevis luks bind -y -k "$passphrase" -d "$listed" tang "$tang"
expect "and to tpm2" cvm-clevis luks bind -k "$passphrase" -d "$listed" tpm2 "$pcrs"
expect "and to a threshold" cvm-clevis luks bind -y -k "$passphrase" -d "$listed" sss \
    "{\"t\":1,\"pins\":{\"tpm2\":{},\"tang\":[$tang]}}"
clevis luks list -d "$listed" >"$work/theirs"
cvm-clevis luks list -d "$listed" >"$work/ours"
expect "clevis and we list six bindings, byte for byte alike" cmp "$work/theirs" "$work/ours"
expect "there are six" same 6 "$(wc -l <"$work/ours")"

note "regen loses nothing"
digest=$(head -c 32 /dev/zero | basenc --base64url -w0 | tr -d =)
nested="{\"t\":2,\"pins\":{\"snp-attest\":{},\"sss\":[{\"t\":1,\"pins\":{\"tang\":[$tang],\"null\":{}}},
    {\"t\":2,\"pins\":{\"null\":[{},{}]}}],\"tpm2\":{\"pcr_ids\":\"16\",\"pcr_bank\":\"sha256\",\"pcr_digest\":\"$digest\"}}}"
expect "a nested policy is bound" cvm-clevis luks bind -y -d "$disk" -k "$passphrase" -p sss -c "$nested"
expect "a list names every part of it" sh -c "cvm-clevis luks list -d '$disk' >'$work/list' &&
    for word in tang null tpm2 snp-attest '\"sss\":\\['; do grep -q \"\$word\" '$work/list' || exit 1; done"
config=$(what_is .config)
expect "what headers do not say is listed too" same "$digest" "$(jq -r .pins.tpm2[0].pcr_digest <<<"$config")"
old=$(what_is .id)
expect "it is made again without a passphrase" cvm-clevis luks regen -d "$disk" -s 1 -q
cp "$work/out" "$work/answer"
expect "the old one's revocation is printed" \
    grep -Eqx 'cvm-clevis-broker revoke binding -- DIRECTORY [A-Za-z0-9_-]{43} [A-Za-z0-9_-]{22}' "$work/answer"
read -r -a revocation < <(sed "s,DIRECTORY,$work/change/broker," "$work/answer")
expect "and that of the binding that was there" same "$old" "\"${revocation[6]}\""
expect "the broker takes it" "${revocation[@]}"
expect "the policy is the same" same "$config" "$(what_is .config)"
expect "it is signed, with an id of its own" sh -c "[ '$(what_is .standing)' = '\"verified\"' ] && [ '$(what_is .id)' != '$old' ]"
expect "it has the old keyslot, and nothing is left over" same "0 1" "$(keyslots)"
expect "the volume opens by it" cvm-clevis luks unlock -d "$disk" -t 1
expect "a JSON answer has the id to revoke" sh -c \
    "cvm-clevis luks regen -d '$disk' -s 1 -q --json | jq -e '.revoke[0].id == .replaced and .id != .replaced'"

note "edit"
reject "the same configuration" 'no changes' cvm-clevis luks edit -d "$disk" -s 1 -c "$config"
reject "a configuration that is broken" 'not JSON' cvm-clevis luks edit -d "$disk" -s 1 -c '{"t":'
reject "a keyslot without a binding" 'keyslot 0 is no clevis binding' cvm-clevis luks edit -d "$disk" -s 0 -c '{}'
expect "without a keyslot it is wrong usage" sh -c "cvm-clevis luks edit -d '$disk' -c '{}'; [ \$? = 2 ]"
expect "another policy" cvm-clevis luks edit -d "$disk" -s 1 -c "{\"t\":2,\"pins\":{\"null\":{},\"tang\":$tang}}"
expect "is listed as clevis would" sh -c "cvm-clevis luks list -d '$disk' |
    grep -Fqx '1: sss '\\''{\"t\":2,\"pins\":{\"tang\":[$tang],\"null\":[{}]}}'\\'"
expect "and opens with clevis" clevis luks unlock -d "$disk" -t 1
mkdir "$work/tmp"
# shellcheck disable=SC2016
expect "the editor gets all of it" sh -c 'printf "y\n" | TMPDIR=$1 EDITOR="sed -i s/:.2,/:1,/" script -qefc \
    "cvm-clevis luks edit -d $2 -s 1" /dev/null' sh "$work/tmp" "$disk"
expect "and what it wrote is bound" same 1 "$(what_is .config.t)"
expect "nothing stays in its directory" sh -c "[ -z \"\$(ls -A '$work/tmp')\" ]"
expect "an editor that changes nothing" sh -c "! EDITOR=true cvm-clevis luks edit -d '$disk' -s 1 2>'$work/err' &&
    grep -q 'no changes' '$work/err'"

note "tang servers that rotate their keys"
rotate_tang change-tang
expect "are trusted where an old key signed the new ones" setsid -w cvm-clevis luks regen -d "$disk" -s 1 -q
rotate_tang change-tang
rm "$work"/change-tang/.*.jwk
expect "and not where none did" reject_loud setsid -w cvm-clevis luks regen -d "$disk" -s 1 -q -k "$passphrase"
expect "as it says" grep -q 'vouched for' "$work/words"
expect "unless -y says so" cvm-clevis luks regen -d "$disk" -s 1 -q -y -k "$passphrase"

note "pins that nobody knows here are not dropped"
mkdir "$work/foreign"
cat >"$work/foreign/clevis-encrypt-foreign" <<'PIN'
#!/bin/sh
jwe=$(jose jwk gen -i '{"alg":"A256GCM"}' -o /tmp/foreign.$$)
jose jwe enc -i '{"protected":{"alg":"dir","enc":"A256GCM","clevis":{"pin":"foreign","foreign":{}}}}' -I- -k /tmp/foreign.$$ -c
rm /tmp/foreign.$$
PIN
chmod +x "$work/foreign/clevis-encrypt-foreign"
foreign="{\"t\":1,\"pins\":{\"foreign\":{},\"tang\":$tang}}"
expect "stock clevis binds to one" env PATH="$work/foreign:$PATH" clevis luks bind -y -f -k "$passphrase" -d "$disk" sss "$foreign"
before=$(cksum "$disk")
expect "a regen of that is refused" reject_loud cvm-clevis luks regen -d "$disk" -s 2 -q
expect "and names it" grep -q "pin 'foreign' (child 0 of the policy) cannot be made again: .*unknown pin" "$work/words"
expect "nothing was changed" same "$before" "$(cksum "$disk")"
expect "an edit with a new policy is what helps" cvm-clevis luks edit -d "$disk" -s 2 -c "{\"t\":1,\"pins\":{\"tang\":$tang}}" -y

note "changes by stock clevis, signed by the owner"
expect "a regen by clevis" clevis luks regen -d "$disk" -s 2 -q
expect "takes the signature away" same '"unsigned"' "$(cvm-clevis luks list -d "$disk" -s 2 --json | jq -c .[0].standing)"
expect "signing it says what is different" cvm-clevis luks sign -d "$disk" -s 2 -y
cp "$work/err" "$work/words"
expect "the message is" grep -q 'changed: the policy.s message is another one, of the same policy' "$work/words"
expect "the passphrase is" grep -q 'changed: the keyslot has another passphrase' "$work/words"
expect "and nothing else" same 2 "$(grep -c '^changed: ' "$work/words")"
expect "it is signed" same '"verified"' "$(cvm-clevis luks list -d "$disk" -s 2 --json | jq -c .[0].standing)"
expect "and opens" cvm-clevis luks unlock -d "$disk" -t 2
expect "clevis opens it too" clevis luks unlock -d "$disk" -t 2
expect "once more is nothing to do" cvm-clevis luks sign -d "$disk" -s 2 -y

note "an unsigned binding that may be anybody's"
unsigned=$work/unsigned.img
make_image "$unsigned" "$passphrase" >/dev/null
expect "clevis binds" clevis luks bind -y -f -k "$passphrase" -d "$unsigned" tang "$tang"
# A stranger's message in its place: its secret does not open the keyslot.
printf secret | clevis encrypt tang "$tang" -y >"$work/stranger.jwe"
python3 - "$work/stranger.jwe" >"$work/stranger.json" <<'PYTHON'
import json, sys
names = ["protected", "encrypted_key", "iv", "ciphertext", "tag"]
jwe = dict(zip(names, open(sys.argv[1]).read().strip().split(".")))
print(json.dumps({"type": "clevis", "keyslots": ["1"], "jwe": jwe}))
PYTHON
cryptsetup token import --token-id 0 --token-replace --json-file "$work/stranger.json" "$unsigned"
disk=$unsigned
before=$(cksum "$disk")
expect "is not made again unseen" reject_loud cvm-clevis luks regen -d "$disk" -s 1 -q -k "$passphrase"
expect "as it says" grep -q 'nothing proves that its configuration is yours' "$work/words"
expect "nothing was changed" same "$before" "$(cksum "$disk")"

note "twenty at once"
disk=$work/twenty.img
make_image "$disk" "$passphrase" --luks2-metadata-size 128k >/dev/null
started=()
for _ in $(seq 20); do
    cvm-clevis luks bind -d "$disk" -k "$passphrase" -p null 2>>"$work/twenty.err" &
    started+=($!)
done
bound=0
for one in "${started[@]}"; do if wait "$one"; then bound=$((bound + 1)); fi; done
expect "$bound of twenty binds succeeded, the others said busy" \
    same "$((20 - bound))" "$(grep -c ': busy: ' "$work/twenty.err" || true)"
expect "every keyslot has its binding, and every binding is signed" \
    same "$bound" "$(cvm-clevis luks list -d "$disk" --json | jq '[.[] | select(.standing == "verified")] | length')"
expect "nothing is orphaned" same "$((bound + 1))" "$(keyslots | wc -w)"
expect "there is nothing to repair" sh -c "cvm-clevis luks repair -d '$disk' 2>&1 | grep -q 'nothing was left behind'"
expect "a binding opens it" cvm-clevis luks unlock -d "$disk" --test
stop_broker
stop_peers
