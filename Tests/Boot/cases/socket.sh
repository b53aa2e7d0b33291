# shellcheck shell=bash disable=SC2154
# systemd-cryptsetup, which reads its key from our socket and opens our copy of the header.

cp "$plain" "$work/socket.img"
quietly cvm-clevis init
quietly cvm-clevis luks bind -d "$work/socket.img" -k "$passphrase" -p null
quietly cvm-clevis boot-config create -d "$work/socket.img" --output "$work/socket.json"
make_initrd socket "$work/socket.json"
listing "$initrd" >"$work/socket.list"
expect "an initrd for a pin without peers has no libssl" sh -c "! grep -q libssl '$work/socket.list'"
expect "and no TPM library" sh -c "! grep -q libtss2 '$work/socket.list'"
opens "systemd-cryptsetup opens the root with a key from the socket" "$initrd" "$work/socket.img"
Tests/EndToEnd/null-cipher.py "$work/socket.img" "$work/null-cipher.img"
stays_closed "a segment in the clear is refused before anybody is asked" 'encryption' "$initrd" "$work/null-cipher.img"
