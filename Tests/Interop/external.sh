# shellcheck shell=bash disable=SC2154
# Pins that neither side brings: programs in PATH, as either finds them; and links to our program, as stock clevis finds them.

mkdir "$work/bin"
PATH=$work/bin:$PATH
# A pin whose messages hide nothing, which is all that its contract needs.
cat >"$work/bin/clevis-encrypt-plain" <<'P'
#!/bin/sh
[ "$1" = '{"a":1,"b":2}' ] || { echo "plain: config is $1" >&2; exit 1; }
header=$(printf '{"alg":"dir","clevis":{"pin":"plain"},"enc":"A256GCM"}' | jose b64 enc -I-)
printf '%s..AAAAAAAAAAAAAAAA.%s.AAAAAAAAAAAAAAAAAAAAAA' "$header" "$(jose b64 enc -I-)"
P
cat >"$work/bin/clevis-decrypt-plain" <<'P'
#!/bin/sh
cut -d. -f4 | jose b64 dec -i-
P
cat >"$work/bin/clevis-decrypt-hang" <<'P'
#!/bin/sh
echo $$ >"${0%/*}/hanging"
exec sleep 600
P
sed 's/"plain"/"hang"/' "$work/bin/clevis-encrypt-plain" >"$work/bin/clevis-encrypt-hang"
chmod +x "$work"/bin/clevis-*

config='{"b":2,"a":1}'
both_open "a pin of others below sss" sss "{\"t\":2,\"pins\":{\"plain\":$config,\"null\":{}}}"
make_image "$work/external.img" "$passphrase" >/dev/null
expect "we bind a volume to it" cvm-clevis luks bind -d "$work/external.img" -k "$passphrase" plain "$config"
expect "stock clevis opens that" stock clevis luks unlock -d "$work/external.img" -t 1
expect "and so do we" cvm-clevis luks unlock -d "$work/external.img" --test

gone() { [ ! -e "$work/bin/hanging" ] || ! kill -0 "$(cat "$work/bin/hanging")" 2>/dev/null; }
cvm-clevis encrypt sss "{\"t\":2,\"pins\":{\"hang\":$config,\"null\":[{},{\"fail\":true}]}}" <"$work/secret" >"$work/hang.jwe"
refuse "one that hangs is told at the deadline" 'sss\[0\]\.hang: unavailable: ' \
    cvm-clevis decrypt --timeout 1 <"$work/hang.jwe"
test -e "$work/bin/hanging" || die "the program was never started"
expect "and it is gone" gone
rm "$work/bin/hanging"
cvm-clevis encrypt sss "{\"t\":1,\"pins\":{\"hang\":$config,\"tang\":$tang}}" <"$work/secret" >"$work/hang.jwe"
started=$SECONDS
expect "one that hangs beside an answer keeps nobody" ours_opens "$work/hang.jwe"
expect "for long" test $((SECONDS - started)) -lt 5
expect "and does not stay behind" gone

ln -s "$(command -v cvm-clevis)" "$work/bin/clevis-decrypt-circle"
ln -s "$(command -v cvm-clevis)" "$work/bin/clevis-encrypt-circle"
fails "a link to our program is no pin of others" cvm-clevis encrypt circle '{}' <"$work/secret"
grep -q 'unknown pin circle' "$work/err" || die "it does not say that there is no such pin"
printf '#!/bin/sh\nexec cvm-clevis decrypt\n' >"$work/bin/clevis-decrypt-spiral"
sed 's/"plain"/"spiral"/' "$work/bin/clevis-encrypt-plain" >"$work/bin/clevis-encrypt-spiral"
chmod +x "$work"/bin/clevis-*-spiral
cvm-clevis encrypt spiral "$config" <"$work/secret" >"$work/spiral.jwe"
refuse "and a pin that asks us about its own message gets no further" 'spiral: failed: .*unknown pin spiral' \
    cvm-clevis decrypt <"$work/spiral.jwe"

# Our link takes the place of a pin of stock clevis.
for verb in encrypt decrypt; do ln -s "$(command -v cvm-clevis)" "$work/bin/clevis-$verb-tpm2"; done
stock clevis encrypt tpm2 '{"hash":"sha384","pcr_ids":"7"}' <"$work/secret" >"$work/linked.jwe"
expect "linked as clevis-decrypt-tpm2, we serve stock clevis" stock_opens "$work/linked.jwe"
rm "$work"/bin/clevis-*-tpm2
