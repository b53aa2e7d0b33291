# shellcheck shell=bash disable=SC2154
# The cases of run.sh about what the pin tpm2 has beyond clevis': PINs typed on a terminal, the storage root key, signed PCRs.

export XDG_CONFIG_HOME=$work/tpm-owner
printf 'a secret' >"$work/secret"
passphrase=$work/passphrase
printf 'correct horse' >"$passphrase"
start_tpm pin-tpm

# person ANSWER… -- COMMAND…: the command on a terminal of its own, where a person types an answer at each prompt.
person() { Tests/EndToEnd/terminal.py "$@"; }

note "a PIN for the TPM"
expect "a PIN is asked for twice" sh -c "Tests/EndToEnd/terminal.py 4711 4711 -- \
    cvm-clevis encrypt tpm2 '{\"pin\":true}' <'$work/secret' >'$work/pin.jwe'"
expect "and once to open" sh -c "Tests/EndToEnd/terminal.py 4711 -- cvm-clevis decrypt <'$work/pin.jwe' | cmp - '$work/secret'"
reject "two that differ" 'refused: ask for the PIN: the two PINs are not the same' \
    person 4711 4712 -- cvm-clevis encrypt tpm2 '{"pin":true}' <"$work/secret"
reject "a wrong one, and how many tries are left" 'refused: TPM2_Unseal: wrong PIN; the TPM: 2 of 3 tries left' \
    person 0000 -- cvm-clevis decrypt <"$work/pin.jwe"
reject "no answer" 'unavailable: ask for the PIN: there is no terminal, or no answer' \
    person '' -- cvm-clevis decrypt <"$work/pin.jwe"
reject "no terminal" 'unavailable: ask for the PIN: there is no terminal' setsid -w cvm-clevis decrypt <"$work/pin.jwe"
for name in HUP INT QUIT TERM; do
    status=0
    # Where Swift is installed, its runtime would write a backtrace at SIGQUIT.
    SWIFT_BACKTRACE=enable=no person "SIG$name" -- cvm-clevis decrypt <"$work/pin.jwe" || status=$?
    expect "SIG$name ends it, and the terminal shows again what is typed" test "$status" = $((128 + $(kill -l "$name")))
done
sss='{"t":1,"pins":{"tpm2":{"pin":true},"null":{}}}'
person 4711 4711 -- cvm-clevis encrypt sss "$sss" <"$work/secret" >"$work/either.jwe"
expect "a threshold that is met leaves the terminal as it was" \
    sh -c "Tests/EndToEnd/terminal.py -- cvm-clevis decrypt <'$work/either.jwe' | cmp - '$work/secret'"
reject "a minute is left to type" 'wrong PIN' sh -c \
    "(sleep 2; printf '0\n') | script -qec 'cvm-clevis decrypt --timeout 1 <\"$work/pin.jwe\" 2>\"$work/slow\"' /dev/null >/dev/null ||
        { cat '$work/slow' >&2; exit 1; }"
reject "too many, told apart from a wrong one" 'unavailable: .*too many wrong PINs: locked' sh -c \
    "Tests/EndToEnd/terminal.py 1 -- cvm-clevis decrypt <'$work/pin.jwe' 2>/dev/null
        Tests/EndToEnd/terminal.py 4711 -- cvm-clevis decrypt <'$work/pin.jwe'"
tpm2_dictionarylockout -c

note "a volume with a PIN under the storage root key"
disk=$work/pin.img
make_image "$disk" "$passphrase" >/dev/null
pin='{"pin":true,"parent":"srk"}'
reject "without that key" 'unavailable: find the storage root key: nothing is at 0x81000001' \
    person 4711 4711 -- cvm-clevis luks bind -d "$disk" -k "$passphrase" -p tpm2 -c "$pin"
tpm2_createprimary -Q -C o -G ecc -c "$work/srk" -a 'restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda'
tpm2_evictcontrol -Q -C o -c "$work/srk" 0x81000001
tpm2_flushcontext -t
expect "binding asks twice, and proves it without a third time" \
    person 4711 4711 -- cvm-clevis luks bind -d "$disk" -k "$passphrase" -p tpm2 -c "$pin"
grep -q 'opened once to prove it' "$work/err" || die "it was not opened to prove it"
expect "it opens with the PIN" person 4711 -- cvm-clevis luks unlock -d "$disk" --test --allow-unsigned
reject "and not with another" 'wrong PIN' person 4712 -- cvm-clevis luks unlock -d "$disk" --test --allow-unsigned
expect "stock clevis refuses it before it asks the TPM" sh -c "! clevis luks unlock -d '$disk' -t 1 2>'$work/said' &&
    grep -q \"missing required 'hash' header parameter\" '$work/said'"

note "signed PCRs"
openssl ecparam -name prime256v1 -genkey -noout -out "$work/signer.pem"
openssl pkey -in "$work/signer.pem" -pubout -out "$work/signer.pub"
export CVM_CLEVIS_PCR_SIGNATURE=$work/tpm2-pcr-signature.json
cvm-clevis encrypt tpm2 "{\"pubkey\":\"$work/signer.pub\"}" <"$work/secret" >"$work/signed.jwe"
reject "nobody has signed anything" "unavailable: find a PCR signature: none of $CVM_CLEVIS_PCR_SIGNATURE is there" \
    cvm-clevis decrypt <"$work/signed.jwe"
tpm2_pcrextend 11:sha256=0000000000000000000000000000000000000000000000000000000000000001
tpm2_createpolicy -Q --policy-pcr -l sha256:11 -L "$work/policy"
tpm2_flushcontext -l
openssl dgst -sha256 -sign "$work/signer.pem" -out "$work/signature" "$work/policy"
pkfp=$(openssl pkey -pubin -in "$work/signer.pub" -outform DER | tail -c 65 | sha256sum | cut -d' ' -f1)
printf '{"sha256":[{"pcrs":[11],"pkfp":"%s","pol":"%s","sig":"%s"}]}\n' "$pkfp" "$(od -An -tx1 -v "$work/policy" | tr -d ' \n')" \
    "$(base64 -w0 "$work/signature")" >"$CVM_CLEVIS_PCR_SIGNATURE"
expect "values that were signed later open it" sh -c "cvm-clevis decrypt <'$work/signed.jwe' | cmp - '$work/secret'"
tpm2_pcrextend 11:sha256=0000000000000000000000000000000000000000000000000000000000000002
reject "values that nobody signed do not" 'refused: find a PCR signature: .*none of them over the values they have now' \
    cvm-clevis decrypt <"$work/signed.jwe"
unset CVM_CLEVIS_PCR_SIGNATURE TPM2TOOLS_TCTI
stop_peers
