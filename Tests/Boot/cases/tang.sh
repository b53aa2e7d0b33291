# shellcheck shell=bash disable=SC2154
# A tang server in the guest's network, which is not that of the machine that binds: its keys come with the configuration.

quietly cvm-clevis init
start_tang tang
cp "$plain" "$work/tang.img"
config=$(curl -sf "$TANG_URL/adv/" | jq -c --arg url "${TANG_URL/127.0.0.1/10.0.2.2}" '{url: $url, adv: .}')
quietly cvm-clevis luks bind -d "$work/tang.img" -k "$passphrase" -p tang -c "$config"
quietly cvm-clevis boot-config create -d "$work/tang.img" --output "$work/tang.json"
make_initrd tang "$work/tang.json"
opens "tang opens the root" "$initrd" "$work/tang.img"
stop_peers
