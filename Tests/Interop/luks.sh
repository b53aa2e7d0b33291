# shellcheck shell=bash disable=SC2154
# LUKS2 volumes: bound with one, listed, opened and unbound with the other.

passphrase=$work/passphrase
printf 'correct horse' >"$passphrase"
disk=$work/disk.img
# More room than by default, for eight bindings.
make_image "$disk" "$passphrase" --luks2-metadata-size 64k >/dev/null
sss="{\"t\":2,\"pins\":{\"tang\":[$tang,$tang],\"tpm2\":$tpm}}"
pins=(tang "$tang" tpm2 "$tpm" sss "$sss" null '{}')

# Keyslots 1 to 4 are ours and 5 to 8 are stock clevis', in the order of $pins.
unlocks() { cvm-clevis luks unlock -d "$1" --test --allow-unsigned; }
# bare TOKEN: a copy of the volume without the tokens before it, so that this one has to open it.
bare() {
    local token
    cp "$disk" "$work/bare.img"
    for ((token = 0; token < $1; token++)); do cryptsetup token remove --token-id "$token" "$work/bare.img"; done
}

for ((pin = 0; pin < ${#pins[@]}; pin += 2)); do
    expect "we bind to ${pins[pin]}" \
        cvm-clevis luks bind -d "$disk" -k "$passphrase" "${pins[@]:pin:2}"
    expect "stock clevis opens it" stock clevis luks unlock -d "$disk" -t $((pin / 2 + 1))
done
for ((pin = 0; pin < ${#pins[@]}; pin += 2)); do
    expect "stock clevis binds to ${pins[pin]}" \
        stock clevis luks bind -f -k "$passphrase" -d "$disk" "${pins[@]:pin:2}"
    bare $((pin / 2 + 4))
    expect "we open it" unlocks "$work/bare.img"
done
stock clevis luks pass -d "$disk" -s 3 >"$work/pass"
expect "stock clevis' pass gives our passphrase of 54 characters" test "$(wc -c <"$work/pass")" = 54
expect "with which cryptsetup opens our keyslot" \
    cryptsetup open --test-passphrase --key-slot 3 --key-file "$work/pass" "$disk"

# pins_of COMMAND…: keyslot and pin of every line, sorted. (clevis 19 does not know null here.)
pins_of() { "$@" | sed -n "s/^\([0-9]*: [a-z0-9]*\) .*/\1/p" | grep -vE "null|unknown" | sort -n; }
pins_of stock clevis luks list -d "$disk" >"$work/stock.list"
pins_of cvm-clevis luks list -d "$disk" >"$work/ours.list"
expect "both list the same pins in the same keyslots" cmp "$work/stock.list" "$work/ours.list"
expect "all six of them" test "$(wc -l <"$work/ours.list")" = 6
same_line() { cmp <(clevis luks list -d "$disk" -s "$1") <(cvm-clevis luks list -d "$disk" -s "$1"); }
for slot in 1 2 3 5 6 7; do expect "and say the same of keyslot $slot" same_line $slot; done

for slot in 1 3; do expect "stock clevis removes our binding $slot" stock clevis luks unbind -f -d "$disk" -s $slot; done
for slot in 5 7; do expect "we remove stock clevis' binding $slot" cvm-clevis luks unbind -f -d "$disk" -s $slot; done
slots() { cryptsetup luksDump "$disk" | sed -n 's/^  \([0-9]*\): \(luks2\|clevis\)$/\1 \2/p' | tr '\n' ' '; }
expect "neither leaves a keyslot or a token" test "$(slots)" = "0 luks2 2 luks2 4 luks2 6 luks2 8 luks2 1 clevis 3 clevis 5 clevis 7 clevis "
expect "what is left still opens with us" unlocks "$disk"
expect "and with stock clevis" stock clevis luks unlock -d "$disk" -t 8
expect "and with the passphrase" cryptsetup open --test-passphrase --key-file "$passphrase" "$disk"

note "an owner's signature"
cvm-clevis init >/dev/null 2>&1
make_image "$work/signed.img" "$passphrase" >/dev/null
expect "we bind and sign" cvm-clevis luks bind -d "$work/signed.img" -k "$passphrase" sss "$sss"
expect "stock clevis opens what is signed" stock clevis luks unlock -d "$work/signed.img" -t 1
expect "we open it by its signature" cvm-clevis luks unlock -d "$work/signed.img" --test
stock clevis luks unbind -f -d "$work/signed.img" -s 1 2>/dev/null
stock clevis luks bind -f -k "$passphrase" -d "$work/signed.img" null '{}'
refuse "but not what somebody else bound" 'sign' cvm-clevis luks unlock -d "$work/signed.img" --test

note "twenty at once"
make_image "$work/busy.img" "$passphrase" --luks2-metadata-size 128k >/dev/null
binds=()
for count in {1..20}; do
    cvm-clevis luks bind -d "$work/busy.img" -k "$passphrase" -p null >"$work/bind.$count" 2>&1 &
    binds+=("$!")
done
done_well=0
for index in "${!binds[@]}"; do
    if wait "${binds[index]}"; then done_well=$((done_well + 1)); else
        grep -q busy "$work/bind.$((index + 1))" || { cat "$work/bind.$((index + 1))" >&2; die "neither bound nor busy"; }
    fi
done
expect "each of twenty either binds or says busy" test "$done_well" -gt 0
cryptsetup luksDump --dump-json-metadata "$work/busy.img" >"$work/busy.json"
expect "the $done_well that did have a keyslot and a token each" python3 - "$work/busy.json" "$done_well" <<'P'
import json
import sys

header = json.load(open(sys.argv[1]))
bound = sorted(token["keyslots"] for token in header["tokens"].values())
assert len(bound) == int(sys.argv[2]), bound
assert sorted(sum(bound, ["0"])) == sorted(header["keyslots"]), (bound, list(header["keyslots"]))
P
expect "and the volume opens" cvm-clevis luks unlock -d "$work/busy.img" --test
