# shellcheck shell=bash disable=SC2154
# Dracut without systemd: our hook in its loop opens the root itself.

quietly cvm-clevis init
cp "$plain" "$work/initqueue.img"
quietly cvm-clevis luks bind -d "$work/initqueue.img" -k "$passphrase" -p null
quietly cvm-clevis boot-config create -d "$work/initqueue.img" --output "$work/initqueue.json"
make_initrd initqueue "$work/initqueue.json" --omit "systemd systemd-initrd dracut-systemd systemd-cryptsetup"
opens "without systemd the root opens" "$initrd" "$work/initqueue.img"
Tests/EndToEnd/null-cipher.py "$work/initqueue.img" "$work/null-cipher.img"
stays_closed "without systemd a segment in the clear is refused, and the machine goes off" 'root.*encryption' \
    "$initrd" "$work/null-cipher.img"
