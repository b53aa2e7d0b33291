#!/usr/bin/env bash
# The token plugin in the cryptsetup of this machine, beside stock clevis. Needs root: it is installed in a private mount namespace,
# over the system's own folder of plugins, and so are /etc/cvm-clevis and /run.
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "${1:-}" != --inside ]; then exec unshare -m --propagation private "$0" --inside; fi
. scripts/lib.sh
. Tests/peers.sh

PATH=${PROGRAMS:-$(swift build --show-bin-path)}:$PATH
export PATH
work=$(mktemp -d)
passed=0
export XDG_CONFIG_HOME=$work/owner
folder=$(cryptsetup --help | sed -n 's/^LUKS2 external token plugin path: \(.*\)\.$/\1/p')
mkdir -p "$work/tokens" "$work/etc" "$folder"
cp -a "$folder/." "$work/tokens"
cp -a /etc/. "$work/etc"
mkdir -p "$work/etc/cvm-clevis"
mount --bind "$work/tokens" "$folder"
mount --bind "$work/etc" /etc
mount -t tmpfs tmpfs /run
trap 'stop_broker; stop_peers; rm -rf --one-file-system "$work"' EXIT

plugin=$work/tokens/libcryptsetup-token-clevis.so
# install PROGRAM: the plugin, which starts that program.
install_plugin() { make -s -B -C luks-tokens PROGRAM="$1" OUTPUT="$plugin"; }
disk=$work/disk.img
passphrase=$work/passphrase
printf 'correct horse' >"$passphrase"
prepare_owner "$work" >/dev/null
make_image "$disk" "$passphrase" >/dev/null
for _ in 1 2; do cvm-clevis luks bind -d "$disk" -k "$passphrase" -p null -c '{}' >/dev/null 2>&1; done
boot=/etc/cvm-clevis/boot.json
cvm-clevis boot-config create -d "$disk" --output "$boot" 2>/dev/null

by_token() { cryptsetup open --test-passphrase --token-only "$@"; }
closed() { # closed NAME STATUS COMMAND…: it fails with that status of cryptsetup
    local name=$1 wanted=$2 status=0
    shift 2
    "$@" >"$work/out" 2>"$work/said" || status=$?
    [ "$status" = "$wanted" ] || { cat "$work/said"; die "$name: status $status, not $wanted"; }
    ok "$name"
}

note "the real program"
closed "without the plugin no token opens the volume" 1 by_token "$disk"
install_plugin "$(command -v cvm-clevis-unlock)"
expect "with it one does" by_token "$disk"
expect "it is the only thing exported" sh -c "[ \"\$(nm -D --defined-only '$plugin' | grep -c ' T ')\" = 5 ]"
touch /etc/cvm-clevis/no-token-plugin
closed "switched off" 1 by_token "$disk"
rm /etc/cvm-clevis/no-token-plugin
mv "$boot" "$work/boot.json"
closed "without boot.json it does nothing" 1 by_token "$disk"
mv "$work/boot.json" "$boot"
Tests/EndToEnd/null-cipher.py "$disk" "$work/hostile.img"
closed "a null cipher in the segment" 1 by_token "$work/hostile.img"
expect "is refused by the program, with the reason" grep -q 'cipher_null' "$work/said"
expect "though cryptsetup would open it with the passphrase" cryptsetup open --test-passphrase --key-file "$passphrase" \
    "$work/hostile.img"
cp "$disk" "$work/stripped.img"
for token in 0 1; do
    cryptsetup token export --token-id "$token" "$disk" | jq -c 'del(."cvm-clevis".signature)' >"$work/token"
    cryptsetup token import --token-id "$token" --token-replace --json-file "$work/token" "$work/stripped.img"
done
closed "stripped signatures" 1 by_token "$work/stripped.img"
expect "are refused with the reason" grep -q 'signature' "$work/said"
make_image "$work/other.img" "$passphrase" >/dev/null
cvm-clevis luks bind -d "$work/other.img" -k "$passphrase" -p null -c '{}' >/dev/null 2>&1
closed "a volume that boot.json does not have" 1 by_token "$work/other.img"
expect "is refused with the reason" grep -q 'has no volume with the UUID' "$work/said"
cp "$disk" "$work/flagged.img"
cryptsetup reencrypt --init-only --batch-mode --pbkdf-force-iterations 1000 --pbkdf pbkdf2 --key-slot 0 --key-file "$passphrase" \
    "$work/flagged.img" >/dev/null 2>&1 || true
expect "a header whose reencryption is not finished" sh -c "cryptsetup luksDump '$work/flagged.img' | grep -q 'Requirements:'"
! by_token "$work/flagged.img" 2>/dev/null || die "a header with requirements was opened"
ok "is not opened"

note "what cryptsetup does after each status"
# Of token 0; the real program answers for token 1.
printf '#!/bin/sh\ncat >"%s"\ngrep -qx "token 0" "%s" && { %s; }\nexec "%s" "$@" <"%s"\n' "$work/request" "$work/request" \
    ". $work/answer" "$(command -v cvm-clevis-unlock)" "$work/request" >"$work/program"
chmod +x "$work/program"
install_plugin "$work/program"
for answer in 'exit 1' 'exit 2' 'exit 3' 'exit 4' 'exit 5' 'exit 77' 'kill -SEGV $$' 'exit 0' 'head -c 100000 /dev/zero; exit 0'; do
    echo "$answer" >"$work/answer"
    expect "after '$answer' the next token opens the volume" by_token "$disk"
done
echo 'echo x >>'"$work/count"'; exit 1' >"$work/answer"
cryptsetup config --key-slot 1 --priority prefer "$disk"
expect "a token that is preferred" by_token "$disk"
expect "is asked once, though libcryptsetup opens it twice" test "$(wc -l <"$work/count")" = 1
echo 'echo $$ >'"$work/sleeper"'; exec sleep 100' >"$work/answer"
before=$SECONDS
expect "a program that does not answer" by_token "$disk"
expect "is ended after 10 s" test $((SECONDS - before)) -le 14
expect "and is not left behind" sh -c "! kill -0 \$(cat '$work/sleeper') 2>/dev/null"
install_plugin "$work/none"
closed "a program that is not there" 1 by_token "$disk"

note "stock clevis beside it"
stock=$work/stock.img
make_image "$stock" "$passphrase" >/dev/null
clevis luks bind -f -k "$passphrase" -d "$stock" sss '{"t":1,"pins":{"null":[{}]}}' >/dev/null 2>&1
rm "$plugin"
clevis luks list -d "$stock" >"$work/list"
clevis luks pass -d "$stock" -s 1 >"$work/pass"
install_plugin "$(command -v cvm-clevis-unlock)"
expect "it lists what it listed without" sh -c "clevis luks list -d '$stock' | cmp - '$work/list' && [ -s '$work/list' ]"
expect "it gives the same passphrase" sh -c "clevis luks pass -d '$stock' -s 1 | cmp - '$work/pass' && [ -s '$work/pass' ]"
expect "it unbinds" clevis luks unbind -f -d "$stock" -s 1
expect "and nothing is left" sh -c "[ -z \"\$(clevis luks list -d '$stock')\" ]"

printf '%d passed, 0 failed\n' "$passed"
