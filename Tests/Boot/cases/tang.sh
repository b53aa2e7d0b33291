# shellcheck shell=bash disable=SC2154
# A tang server in the guest's network.

start_tang tang
cp "$work/plain.img" "$work/tang.img"
advertisement=$(curl -sf "$TANG_URL/adv/")
cvm-clevis luks bind -d "$work/tang.img" -k "$work/passphrase" -p tang \
    -c "{\"url\":\"${TANG_URL/127.0.0.1/10.0.2.2}\",\"adv\":$advertisement}" >/dev/null 2>&1
cvm-clevis boot-config create -d "$work/tang.img" --output "$work/tang.json" 2>/dev/null
make_initrd tang "$work/tang.json"
opens "tang opens the root" "$initrd" "$work/tang.img"
stop_peers
