# shellcheck shell=bash disable=SC2154
# cvm-clevis-unlock in dracut's own loop, without a unit of systemd's.

cp "$work/plain.img" "$work/null.img"
cvm-clevis init >/dev/null 2>&1 || true
cvm-clevis luks bind -d "$work/null.img" -k "$work/passphrase" -p null >/dev/null 2>&1
cvm-clevis boot-config create -d "$work/null.img" --output "$work/null.json" 2>/dev/null
make_initrd null "$work/null.json"
listing "$initrd" >"$work/null.list"
expect "an initrd for a pin without peers has no libcurl" sh -c "! grep -q libcurl '$work/null.list'"
expect "and no TPM library" sh -c "! grep -q libtss2 '$work/null.list'"
opens "a signed binding opens the root" "$initrd" "$work/null.img"
Tests/EndToEnd/null-cipher.py "$work/null.img" "$work/null-cipher.img"
stays_closed "a segment in the clear is refused" 'encryption' "$initrd" "$work/null-cipher.img"
