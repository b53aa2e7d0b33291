#!/usr/bin/env bash
# foreign-disk.sh DISK OUT WORK URL: another owner's volume, honestly made and bound with the same policy and broker, that
# claims the UUID of DISK. Leaves that owner's files in WORK/second. What a host does to have a guest open a disk whose
# content the host chose.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$0")/../../scripts/lib.sh"
disk=$1 out=$2 work=$3 url=$4
export XDG_CONFIG_HOME=$work/second
printf 'attacker' >"$work/attacker"
rm -f "$out"
make_image "$out" "$work/attacker" --uuid "$(cryptsetup luksUUID "$disk")" >/dev/null
cvm-clevis init --broker "$work/broker/public.json" --url "$url" --policy "$work/policy.json" >/dev/null 2>&1
cvm-clevis luks bind -d "$out" -k "$work/attacker" -p snp-attest >/dev/null 2>&1
