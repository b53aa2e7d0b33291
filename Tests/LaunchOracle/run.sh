#!/usr/bin/env bash
# Launch measurements beside those of sev-snp-measure: on images made at random, and on Debian's OVMF. Sessions, secrets and ID blocks
# beside an implementation of the firmware's side. Argument: how many images.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/lib.sh

PATH=${PROGRAMS:-$(swift build --show-bin-path)}:$PATH
install_launch_oracle
oracle=$LAUNCH_ORACLE

"$oracle/bin/python" Tests/LaunchOracle/compare.py "$(command -v cvm-clevis)" "${1:-500}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$oracle/bin/python" Tests/LaunchOracle/launch.py "$(command -v cvm-clevis)" "$work"
mkdir "$work/boot"
"$oracle/bin/python" Tests/LaunchOracle/boot.py "$(command -v cvm-clevis)" "$work/boot" "$RANDOM"

compared=0
# same OURS THEIRS: two commands that print a measurement.
same() {
    local ours theirs
    ours=$($1)
    theirs=$($2)
    [ "$ours" = "$theirs" ] || die "$1: $ours; $2: $theirs"
    compared=$((compared + 1))
}
for firmware in /usr/share/OVMF/OVMF_CODE.fd /usr/share/OVMF/OVMF_CODE_4M.fd /usr/share/ovmf/OVMF.fd; do
    [ -f "$firmware" ] || die "$firmware is missing: run scripts/setup --tests"
    same "cvm-clevis measure sev --firmware $firmware" \
        "$oracle/bin/sev-snp-measure --mode sev --ovmf $firmware"
    same "cvm-clevis measure seves --firmware $firmware --vcpus 4 --vcpu-type EPYC-v4" \
        "$oracle/bin/sev-snp-measure --mode seves --ovmf $firmware --vcpus 4 --vcpu-type EPYC-v4"
    same "cvm-clevis measure snp --firmware $firmware --vcpus 4 --vcpu-type EPYC-Milan --guest-features 0x21" \
        "$oracle/bin/sev-snp-measure --mode snp --ovmf $firmware --vcpus 4 --vcpu-type EPYC-Milan --guest-features 0x21"
done
printf '%d measurements of OVMF, no differences\n' "$compared"
