# shellcheck shell=bash disable=SC2154
# Cases of run.sh: the program as the units of an initrd run it (docs/spec/boot.md), against a stand-in for systemd-cryptsetup, which
# wants a device-mapper. /run is a private one.

export XDG_CONFIG_HOME=$work/fronts-owner
passphrase=$work/fronts.key
printf 'correct horse' >"$passphrase"
mkdir -p "$work/fronts" "$work/client"
prepare_owner "$work/fronts" >/dev/null
root_disk=$work/fronts-root.img data_disk=$work/fronts-data.img
make_image "$root_disk" "$passphrase" >/dev/null
make_image "$data_disk" "$passphrase" >/dev/null
boot=$work/fronts.json
genuine=$root_disk
share=$work/fronts.share
cvm-clevis luks bind -d "$root_disk" -k "$passphrase" --name root -p null -c '{}' >/dev/null 2>&1
cvm-clevis luks bind -d "$data_disk" -k "$passphrase" --name data -p file -c "{\"name\":\"$share\"}" >/dev/null 2>&1
cp Tests/EndToEnd/cryptsetup-client.py "$work/client/attach"

# configure ON_FAILURE: the boot.json of both volumes.
configure() {
    cvm-clevis boot-config create -d "$genuine" --name root --on-failure "$1" >"$work/one.json" 2>/dev/null
    cvm-clevis boot-config create -d "$data_disk" --name data --on-failure "$1" >"$work/two.json" 2>/dev/null
    jq -s '.[0].volumes += .[1].volumes | .[0]' "$work/one.json" "$work/two.json" >"$boot"
}
configure poweroff

# A mount namespace with a /run of its own, which lives as long as its first process; inside COMMAND… runs in it.
unshare -m --propagation private sh -c "mount -t tmpfs tmpfs /run && touch '$work/fronts.ready' && exec sleep 3600" &
namespace=$!
peers+=("$namespace")
until [ -e "$work/fronts.ready" ]; do sleep 0.05; done
inside() { nsenter -t "$namespace" -m --wd="$PWD" -- "$@"; }
unlock() { inside cvm-clevis-unlock "$@" --boot-config "$boot"; }
headers() { unlock headers --device "root=$root_disk" --device "data=$data_disk" --timeout 2; }
copy=/run/cvm-clevis

note "copies of headers"
expect "they are written" headers
expect "for nobody but root" inside sh -c "[ \$(stat -c %a $copy) = 700 ] && [ \$(stat -c %a $copy/root.header) = 600 ]"
expect "and open their volumes in place of the disk's own" inside cryptsetup open --test-passphrase --key-file "$passphrase" \
    --header "$copy/root.header" "$root_disk"
expect "nothing else lies beside them" inside sh -c "[ \"\$(ls $copy | tr '\n' ' ')\" = 'data.header root.header ' ]"
root_disk=$work/fronts-hostile.img
Tests/EndToEnd/null-cipher.py "$genuine" "$root_disk"
reject_header() { # reject_header NAME PATTERN: no copy of the root volume's header, and the reason
    ! headers >"$work/out" 2>"$work/err" || die "$1: accepted"
    grep -Eq "root.*$2" "$work/err" || { cat "$work/err"; die "$1: the reason is not $2"; }
    ! inside test -e "$copy/root.header" || die "$1: there is a copy"
    ok "$1"
}
reject_header "a null cipher has no copy, and takes that of an earlier run away" 'cipher_null'
cp "$genuine" "$root_disk"
cryptsetup token export --token-id 0 "$genuine" | jq -c 'del(."cvm-clevis".signature)' >"$work/stripped"
cryptsetup token import --token-id 0 --token-replace --json-file "$work/stripped" "$root_disk"
reject_header "a stripped signature" 'signature'
configure prompt
expect "where there may be a prompt it has a copy all the same, and a line that says why no key will come" sh -c "
    ! nsenter -t $namespace -m -- env PATH='$PATH' cvm-clevis-unlock headers --boot-config '$boot' --device 'root=$root_disk' \
        --device 'data=$data_disk' 2>'$work/why' && grep -q 'root: .*signature' '$work/why'"
expect "which a passphrase opens" inside cryptsetup open --test-passphrase --key-file "$passphrase" \
    --header "$copy/root.header" "$root_disk"
configure poweroff
root_disk=$work/none.img
reject_header "a disk that does not come" 'is not there after 2 s'
root_disk=$genuine
expect "the genuine one has its copy again" headers

# says PATTERN LOG: a server says it, now or within five seconds: its line may come after its answer.
says() {
    for _ in $(seq 50); do
        if grep -q "$1" "$2"; then return 0; fi
        sleep 0.1
    done
    return 1
}

note "the key socket"
# serve [OPTIONS]: in the background; its lines are in $work/serve.log.
serve() {
    inside Tests/EndToEnd/listen.py "$copy/key.socket" cvm-clevis-unlock serve --boot-config "$boot" "$@" >"$work/serve.log" 2>&1 &
    server=$!
    until inside test -S "$copy/key.socket"; do sleep 0.05; done
}
stop_serving() { kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; inside rm -f "$copy/key.socket"; }
# client_of NAME SOURCE OPTIONS [VARIABLE=VALUE…]: what it was answered is in $work/NAME.answer. The program's second word is the
# script, whose name is attach.
client_of() {
    local name=$1 source=$2 options=$3
    shift 3
    nsenter -t "$namespace" -m --wd="$work/client" -- env "$@" timeout 60 python3 attach "$name" /dev/none "$source" "$options" \
        >"$work/$name.answer"
}
opens() { cryptsetup open --test-passphrase --key-file "$2" "$1"; }
noise() { [ "$(stat -c %s "$1")" = 64 ] && ! opens "$root_disk" "$1" 2>/dev/null; }
# refused NAME PATTERN CLIENT…: 64 random bytes, and a line that matches.
refused_client() {
    local name=$1 pattern=$2
    shift 2
    client_of "$@" || die "$name: the client failed"
    noise "$work/$1.answer" || die "$name: the answer is not 64 bytes of noise"
    grep -Eq "$pattern" "$work/serve.log" || { cat "$work/serve.log"; die "$name: no line matches $pattern"; }
    ok "$name"
}
key=$copy/key.socket
option() { printf 'luks,header=%s/%s.header,tries=1' "$copy" "$1"; }

serve
expect "a client that opens our copy gets the key" client_of root "$key" "$(option root)"
expect "which opens the volume" opens "$root_disk" "$work/root.answer"
refused_client "one that reads the header from the disk" 'reads the header from the disk' root "$key" luks
refused_client "one that opens another copy" 'another header' root "$key" "$(option data)"
refused_client "one whose address has another name than its arguments" 'it opens root, not data' \
    root "$key" "$(option root)" AS=data
refused_client "one whose address has a name that boot.json does not have" 'boot.json has no volume' \
    root "$key" "$(option root)" AS=other
refused_client "one without an address" 'does not end in /cryptsetup/NAME' root "$key" "$(option root)" PLAIN=1
inside chmod 711 "$copy"
inside chmod 666 "$key"
refused_client "one that is not root's" 'runs as user 65534, not as root' root "$key" "$(option root)" USER_ID=65534
inside chmod 600 "$key"
inside chmod 700 "$copy"
expect "the other volume gets its own" client_of data "$key" "$(option data)"
expect "which opens it" opens "$data_disk" "$work/data.answer"
expect "and then the server ends by itself" wait "$server"
expect "having walked once" test "$(grep -c 'key recovered' "$work/serve.log")" = 2
stop_serving

mv "$share" "$share.away"
serve
client_of data "$key" "$(option data)" &
waiting=$!
expect "a volume is served while another waits" client_of root "$key" "$(option root)"
for _ in $(seq 100); do grep -q 'will be tried again' "$work/serve.log" && break; sleep 0.1; done
expect "what is unavailable is said" grep -q 'data: will be tried again: .*unavailable' "$work/serve.log"
mv "$share.away" "$share"
expect "and tried again until it is there" wait "$waiting"
expect "with a key that opens the volume" opens "$data_disk" "$work/data.answer"
stop_serving

mv "$share" "$share.away"
serve --timeout 2
refused_client "a volume out of time gets noise, and its reason is said" '^cvm-clevis-unlock: data: .*unavailable.*No such file' \
    data "$key" "$(option data)"
stop_serving
serve
client_of data "$key" "$(option data)" BECOME=luks &
waiting=$!
for _ in $(seq 100); do grep -q 'will be tried again\|refused' "$work/serve.log" && break; sleep 0.1; done
mv "$share.away" "$share"
wait "$waiting" || die "the client failed"
expect "a client that runs something else by the time of its answer gets noise" noise "$work/data.answer"
# Either the other options, or what a process has for arguments while it starts another program.
expect "and that is said" says "refused: .*\(reads the header from the disk\|it is no 'systemd-cryptsetup attach'\)" "$work/serve.log"
stop_serving

# The disk turns hostile after its header was copied: what is served was tested against the copy, and only the copy is opened.
cp "$genuine" "$work/turned.img"
root_disk=$work/turned.img
headers 2>/dev/null
Tests/EndToEnd/null-cipher.py "$genuine" "$work/turned.img"
serve
expect "a disk that changes after its header was copied" client_of root "$key" "$(option root)"
expect "is opened by the copy, which has the cipher that was checked" inside sh -c \
    "cryptsetup luksDump '$copy/root.header' | grep -q 'cipher: aes-xts-plain64' && cryptsetup open --test-passphrase \
    --key-file '$work/root.answer' --header '$copy/root.header' '$root_disk'"
refused_client "and by nothing else" 'reads the header from the disk' root "$key" luks
stop_serving
root_disk=$genuine
headers 2>/dev/null

inside sh -c "truncate -s 0 $copy/root.header"
serve
refused_client "a copy that somebody broke" 'root: .*not LUKS2' root "$key" "$(option root)"
stop_serving
headers 2>/dev/null
misuse "serving without a socket" 'no listening socket' unlock serve

note "the password agent"
agent() { unlock agent >"$work/agent.log" 2>&1 & server=$!; }
client_of root ask "$(option root)" SECONDS_TO_WAIT=20 &
waiting=$!
sleep 0.5
agent
expect "a prompt for our copy is answered" wait "$waiting"
expect "with the key" opens "$root_disk" "$work/root.answer"
expect "and then the agent ends by itself" wait "$server"
client_of root ask luks SECONDS_TO_WAIT=2 &
waiting=$!
sleep 0.5
agent
wait "$waiting" || die "the client failed"
expect "one for the disk's own header is not" test ! -s "$work/root.answer"
expect "and that is said" says 'refused: .*reads the header from the disk' "$work/agent.log"
wait "$server" || true
mv "$share" "$share.away"
client_of data ask "$(option data)" SECONDS_TO_WAIT=20 &
waiting=$!
sleep 0.5
agent
for _ in $(seq 100); do grep -q 'will be tried again' "$work/agent.log" && break; sleep 0.1; done
mv "$share.away" "$share"
expect "while a prompt stands, what was unavailable is tried again" wait "$waiting"
expect "and answered" opens "$data_disk" "$work/data.answer"
wait "$server" || true

note "the machine goes off"
# off COMMAND…: in an initrd of its own, whose first process the kernel ends in place of the machine (SIGINT).
mkdir -p "$work/etc"
cp -a /etc/. "$work/etc" 2>/dev/null || true
printf 'NAME=initrd\n' >"$work/etc/initrd-release"
initrd() {
    local status=0
    # shellcheck disable=SC2016 # that shell's own
    unshare -m -p -f --propagation private --mount-proc sh -c \
        'mount --bind "$0" /etc && mount -t tmpfs tmpfs /run && exec sh -c "\"\$@\"; exit" -- "$@"' "$work/etc" "$@" \
        >"$work/out" 2>"$work/err" || status=$?
    return $status
}
goes_off() { # goes_off NAME PATTERN COMMAND…
    local name=$1 pattern=$2 status=0
    shift 2
    initrd "$@" || status=$?
    [ "$status" = 130 ] || { cat "$work/err"; die "$name: status $status, not that of a machine that went off"; }
    grep -Eq "$pattern" "$work/err" || { cat "$work/err"; die "$name: no line matches $pattern"; }
    ok "$name"
}
goes_off "where a header is refused" 'root stays closed: .*not there after 1 s: the machine goes off' cvm-clevis-unlock headers --act \
    --boot-config "$boot" --device "root=$work/none.img" --device "data=$data_disk" --timeout 1
goes_off "where a volume's unit failed" 'root stays closed: its unit failed' cvm-clevis-unlock act root --boot-config "$boot"
goes_off "before a shell" 'allows no shell' cvm-clevis-unlock act --boot-config "$boot"
goes_off "without a boot configuration" 'without a boot configuration' cvm-clevis-unlock act --boot-config "$work/none.json"
configure prompt
goes_off "before a shell where only a prompt is allowed" 'allows no shell' cvm-clevis-unlock act --boot-config "$boot"
expect "and not where a passphrase may be typed" initrd cvm-clevis-unlock act root --boot-config "$boot"
configure shell
expect "nor before a shell that is allowed" initrd cvm-clevis-unlock act --boot-config "$boot"
configure poweroff
expect "nor outside an initrd" unlock act root
kill "$namespace"
wait "$namespace" 2>/dev/null || true
