# shellcheck shell=bash disable=SC2154
# Cases of run.sh: what stock clevis does, in its words, with tang servers and a TPM.

export XDG_CONFIG_HOME=$work/nobody
passphrase=$work/drop-in.key
printf 'correct horse' >"$passphrase"
printf 'a secret' >"$work/secret"
disk=$work/drop-in.img
make_image "$disk" "$passphrase" >/dev/null
start_tang first
first=$TANG_URL first_pid=$TANG_PID
start_tang second
second=$TANG_URL
start_silence
start_tpm tpm

# typing TEXT COMMAND: the command as if on a terminal where somebody types TEXT.
typing() { printf '%s\n' "$1" | script -qefc "$2" /dev/null; }

# milliseconds COMMAND…: how long it took.
milliseconds() {
    local start
    start=$(date +%s%N)
    "$@" >"$work/answer" 2>"$work/said" || true
    echo $((($(date +%s%N) - start) / 1000000))
}

note "whom to trust"
tang="{\"url\":\"$first\"}"
reject "an unknown server without a terminal is refused" "signed by $(thumbprint first), which nobody has vouched for" \
    setsid -w cvm-clevis encrypt tang "$tang" <"$work/secret"
grep -q 'hint:.* -y ' "$work/err" || die "no hint at -y"
typing n "cvm-clevis encrypt tang '$tang' <'$work/secret'" >"$work/said" && die "a no was taken for a yes"
expect "a no on the terminal is a no" grep -q vouched "$work/said"
expect "and the key was shown before" grep -qx "  $(thumbprint first)." "$work/said"
expect "a yes on the terminal is a yes" typing y "cvm-clevis encrypt tang '$tang' <'$work/secret' >'$work/tang.jwe'"
expect "and stock clevis opens what it made" sh -c "clevis decrypt <'$work/tang.jwe' | cmp - '$work/secret'"
sss="{\"t\":2,\"pins\":{\"tang\":[{\"url\":\"$first\"},{\"url\":\"$second\"}]}}"
expect "-y trusts all servers of a threshold" \
    sh -c "cvm-clevis encrypt sss '$sss' -y <'$work/secret' >'$work/sss.jwe'"
expect "their keys are said" test "$(grep -c 'trusting its keys' "$work/err")" = 2
expect "stock clevis opens it" sh -c "clevis decrypt <'$work/sss.jwe' | cmp - '$work/secret'"
misuse "a pin that does not exist is wrong usage" 'unknown pin tung' cvm-clevis encrypt tung '{}' <"$work/secret"
reject "a server that is not there" "tang: unavailable: adv: http://127.0.0.1:1/adv/" \
    cvm-clevis encrypt tang '{"url":"http://127.0.0.1:1"}' -y <"$work/secret"

libjose=$(ldconfig -p | sed -n 's/.*libjose\.so\.0 .*=> //p' | head -1)
status=0
unshare -m sh -c "mount --bind /dev/null '$libjose' && exec cvm-clevis encrypt tang '$tang' -y <'$work/secret'" \
    >"$work/answer" 2>"$work/said" || status=$?
expect "without libjose it ends as the loader would end it" test "$status" = 127
expect "and says what is missing" grep -q 'error while loading shared libraries: .*libjose' "$work/said"

note "binding as clevis does"
reject "a server that nobody vouches for is not bound" 'vouched for' \
    setsid -w cvm-clevis luks bind -d "$disk" -k "$passphrase" tang "$tang"
expect "a bind with -y, the passphrase on standard input" \
    sh -c "cvm-clevis luks bind -y -d '$disk' -k - tang '$tang' <'$passphrase'"
expect "a bind to a keyslot and a token" cvm-clevis luks bind -d "$disk" -s 5 -t 7 -k "$passphrase" tpm2 '{"pcr_ids":"7"}'
cvm-clevis luks list -d "$disk" >"$work/list" 2>/dev/null
expect "it is listed with its keyslot" grep -qx "5: tpm2 '{.*\"pcr_ids\":\"7\"}'" "$work/list"
expect "it lies where it was asked to" sh -c "cryptsetup luksDump '$disk' | grep -A1 '^  7: clevis' | grep -q 'Keyslot:    5'"
reject "a used keyslot" 'keyslot 5 is in use' cvm-clevis luks bind -d "$disk" -s 5 -k "$passphrase" null '{}'
reject "a used token" 'token 7 is in use' cvm-clevis luks bind -d "$disk" -t 7 -k "$passphrase" null '{}'
misuse "a bind to an unknown pin is wrong usage" 'unknown pin tung' \
    cvm-clevis luks bind -d "$disk" -k "$passphrase" tung '{}'
expect "another binding opens the volume for a new one" \
    cvm-clevis luks bind -y -d "$disk" -e 0 sss "$sss"
expect "so does a passphrase in the kernel's keyring" python3 - "$disk" "$passphrase" <<'PYTHON'
import ctypes, subprocess, sys
disk, file = sys.argv[1:]
secret = open(file, "rb").read()
SYS_add_key, session_keyring = 248, ctypes.c_int(-3)
assert ctypes.CDLL(None).syscall(SYS_add_key, b"user", b"cvm-e2e", secret, len(secret), session_keyring) > 0
token = ["cryptsetup", "token", "add", "--token-id", "9", "--key-description", "cvm-e2e", disk]
bind = ["cvm-clevis", "luks", "bind", "-d", disk, "-e", "9", "-s", "9", "null", "{}"]
for command in (token, bind):
    subprocess.run(command, check=True)
PYTHON
expect "names of pins only" sh -c "cvm-clevis luks list -d '$disk' -p 2>/dev/null | tr '\n' ';' |
    grep -qx '1: tang;2: sss tang;5: tpm2;9: null;'"
reject "listing a keyslot without a binding" 'keyslot 3 is no clevis binding' cvm-clevis luks list -d "$disk" -s 3

note "opening as clevis does"
for slot in 1 2 5; do
    expect "keyslot $slot opens with clevis" clevis luks unlock -d "$disk" -t "$slot"
    expect "keyslot $slot opens with us" cvm-clevis luks unlock -d "$disk" -t "$slot" --allow-unsigned
    expect "its passphrase is that of clevis" bash -c \
        "clevis luks pass -d '$disk' -s $slot | cmp - <(cvm-clevis luks pass -d '$disk' -s $slot --allow-unsigned)"
done
expect "any binding will do" cvm-clevis luks unlock -d "$disk" --test --allow-unsigned
reject "without an owner's key an unsigned binding needs a word" 'no owner.s key' cvm-clevis luks pass -d "$disk" -s 1
reject "a keyslot without a binding has no passphrase" 'keyslot 0 is no clevis binding' \
    cvm-clevis luks pass -d "$disk" -s 0 --allow-unsigned
# Stock clevis leaves its objects in a TPM without a resource manager.
tpm2_flushcontext --transient-object

note "what the next boot would say"
expect "all is well" sh -c "cvm-clevis luks check -d '$disk' >'$work/check'"
expect "with a line for each pin" grep -q "^ok       token 1: sss\[1\].tang: $second gives its secret back" "$work/check"
expect "a TPM among them" grep -q '^ok       token 7: tpm2: ' "$work/check"
expect "a quick passphrase is a warning" grep -q '^warning  keyslot 0: .*; next: cryptsetup luksConvertKey' "$work/check"
expect "a binding that anybody opens is a warning" grep -q '^warning  token 2: its policy is met by anybody' "$work/check"
expect "the answer for machines is JSON" sh -c "cvm-clevis luks check -d '$disk' --json |
    python3 -c 'import json, sys; answer = json.load(sys.stdin); assert answer[\"boots\"] and answer[\"findings\"]'"
tpm2_pcrextend 7:sha256=0000000000000000000000000000000000000000000000000000000000000001
reject "a PCR that moved is named" 'PCR 7 of bank sha256: other values' \
    cvm-clevis luks unlock -d "$disk" -t 5 --allow-unsigned
expect "a check says so" sh -c "cvm-clevis luks check -d '$disk' |
    grep -q '^fails    token 7: tpm2: .*PCR 7 of bank sha256: other values'"
rotate_tang second
expect "rotated keys are a warning" sh -c "cvm-clevis luks check -d '$disk' |
    grep -q '^warning  token 1: sss\[1\].tang: the server has rotated its keys'"
expect "and the volume still opens by the others" cvm-clevis luks unlock -d "$disk" --test --allow-unsigned
expect "a no to unbind is no failure" typing n "cvm-clevis luks unbind -d '$disk' -s 5"
expect "and changes nothing" sh -c "cvm-clevis luks list -d '$disk' -s 5"
expect "a yes is a yes" typing y "cvm-clevis luks unbind -d '$disk' -s 5"
reject "what is not bound is not unbound" 'keyslot 5 is no clevis binding' cvm-clevis luks unbind -d "$disk" -s 5 -f

note "rotated keys"
disk=$work/rotated.img
make_image "$disk" "$passphrase" >/dev/null
start_tang third
cvm-clevis luks bind -y -d "$disk" -k "$passphrase" sss "{\"t\":1,\"pins\":{\"tang\":[{\"url\":\"$first\"},{\"url\":\"$TANG_URL\"}]}}" \
    2>/dev/null
expect "nothing is to report" cvm-clevis luks report -d "$disk" -s 1
expect "and nothing is said" test ! -s "$work/out"
reject "a keyslot without a binding" 'keyslot 0 is no clevis binding' cvm-clevis luks report -d "$disk" -s 0
rotate_tang third
clevis luks report -q -d "$disk" -s 1 | grep '^  ' | sort >"$work/stock-report" || true
cvm-clevis luks report -q -d "$disk" -s 1 >"$work/report" && die "rotated keys are not status 0"
expect "the keys are those that clevis reports" sh -c "grep '^  ' '$work/report' | sort | cmp - '$work/stock-report'"
expect "two of them" test "$(wc -l <"$work/stock-report")" = 2
typing n "cvm-clevis luks report -d '$disk' -s 1" >"$work/said" && die "a no was taken for a yes"
expect "a no on the terminal changes nothing" grep -q 'Make the binding anew' "$work/said"
expect "the binding is made anew" setsid -w cvm-clevis luks report -r -d "$disk" -s 1
expect "and there is nothing to report any more" cvm-clevis luks report -d "$disk" -s 1
expect "to clevis neither" clevis luks report -q -d "$disk" -s 1
expect "which opens it" clevis luks unlock -d "$disk" -t 1
kill "$TANG_PID"
reject "a server that is not there" "sss\[1\].tang: unavailable: adv: $TANG_URL/adv/" \
    cvm-clevis luks report -d "$disk" -s 1

note "servers that never answer"
curl -s "$first/adv/" >"$work/first.adv"
silent="{\"url\":\"$SILENT_URL\",\"adv\":\"$work/first.adv\"}"
three="{\"t\":2,\"pins\":{\"tang\":[$silent,{\"url\":\"$first\"},{\"url\":\"$second\"}]}}"
cvm-clevis encrypt sss "$three" -y <"$work/secret" >"$work/three.jwe" 2>/dev/null
spent=$(milliseconds cvm-clevis decrypt --timeout 11 <"$work/three.jwe")
expect "two of three answered, and the third cost nothing ($spent ms)" cmp "$work/answer" "$work/secret"
expect "that is less than a second" test "$spent" -lt 1000
expect "no process stays behind" sh -c "! pgrep -f '[c]vm-clevis decrypt --timeout 11'"
kill "$first_pid"
spent=$(milliseconds cvm-clevis decrypt --timeout 2 <"$work/three.jwe")
expect "too few answers end at the deadline ($spent ms)" test "$spent" -ge 1900 -a "$spent" -lt 3500
expect "and it says which server failed how" sh -c "grep -q 'sss\[0\].tang: unavailable: .*$SILENT_URL' '$work/said' &&
    grep -q 'sss\[1\].tang: unavailable: rec: $first/rec/' '$work/said'"
expect "no process stays behind" sh -c "! pgrep -f '[c]vm-clevis decrypt --timeout 2'"
stop_peers
