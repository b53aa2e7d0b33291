#!/usr/bin/env bash
# The initrd of cvm-clevis beside that of Debian 13's clevis: how large either makes it, and what the unlock of one image by its
# TPM costs in a boot, with the same keyslot and token, under the same emulation. Needs root; see Tests/Boot/run.sh.
# BOOTS is the number of boots of each.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh
. Tests/peers.sh
. Tests/Boot/lib.sh
. Tests/Boot/guest.sh
. Tests/Boot/image.sh
. Tests/Boot/initrd.sh
. Tests/Boot/vm.sh

prepare_boots
prepare_root "$run/root"
work=$run
export XDG_CONFIG_HOME=$work/owner
VM_OPTIONS=()
quietly cvm-clevis init
start_tpm guest-tpm
disk=$work/tpm.img
cp "$plain" "$disk"
quietly cvm-clevis luks bind -d "$disk" -k "$passphrase" -p tpm2 -c '{"pcr_ids":"14"}'
stop_peers
unset TPM2TOOLS_TCTI
quietly cvm-clevis boot-config create -d "$disk" --output "$work/tpm.json"
quietly cvm-clevis boot-config create -d "$disk" --pin tpm2 --pin tang --pin snp-attest --pin tdx-attest --pin sss \
    --output "$work/all.json"
# clevis' dracut module wants a file of a package that it does not depend on.
[ -e "$root/etc/services" ] || : >"$root/etc/services"

# Without ours and without clevis, as little as opens a volume by passphrase.
bare=${left_out/ clevis clevis-pin-null clevis-pin-sss clevis-pin-tang clevis-pin-tpm2/}
# Dracut's own module for systemd-cryptsetup stays away without these.
bare=${bare/ fido2 pkcs11 / }
clevis="clevis clevis-pin-null clevis-pin-sss clevis-pin-tang clevis-pin-tpm2"
common="systemd-cryptsetup dm rootfs-block systemd-ask-password cvm-clevis-test"
rm -f "$root/etc/cvm-clevis/boot.json"
sizes=()
# size NAME [options of dracut]: an initrd, and how large it is.
size() {
    run_dracut "$@"
    sizes+=("$(stat -c %s "$initrd")")
}
ours() { # ours NAME BOOT_JSON OMITTED
    cp "$2" "$root/etc/cvm-clevis/boot.json"
    size "$1" --omit "$bare $clevis $3" --add "cvm-clevis cvm-clevis-test"
    rm "$root/etc/cvm-clevis/boot.json"
}
size base --omit "$bare $clevis network" --add "$common"
ours tpm "$work/tpm.json" network
ours_tpm=$initrd
size base-clevis-tpm --omit "$bare network clevis-pin-tang" --add "$common clevis clevis-pin-tpm2"
clevis_tpm=$initrd
size base-network --omit "$bare $clevis" --add "$common network"
ours all "$work/all.json" ""
size base-clevis-all --omit "$bare" --add "$common network $clevis"
growth() { awk -v from="$1" -v to="$2" 'BEGIN { printf "%6.2f MB", (to - from) / 1e6 }'; }
printf '\ninitrd, zstd, beside one without either (%d bytes, with network %d)\n' "${sizes[0]}" "${sizes[3]}"
printf '  tpm2 alone                %s, clevis %s\n' "$(growth "${sizes[0]}" "${sizes[1]}")" "$(growth "${sizes[0]}" "${sizes[2]}")"
printf '  every pin, with network   %s, clevis %s\n' "$(growth "${sizes[3]}" "${sizes[4]}")" "$(growth "${sizes[3]}" "${sizes[5]}")"

# measured NAME INITRD [-- words]: a boot, and what its report says of the unlock: seconds until the root was open, CPU seconds
# of the units that do it, programs that were executed for it.
measured() {
    VM_TPM=$work/guest-tpm boot "$1" "$2" "$disk" -- trace_event=sched:sched_process_exec,sched:sched_process_fork trace_buf_size=8M \
        "${@:4}"
    grep -aq '^cvm-clevis-test: root: .* crypt ' "$console" || boot_failed "$1: the root was not opened"
    printf '  %-8s open after %6.1f s, CPU %5.2f s, %d programs\n' "$1" "$(booted_in)" \
        "$(sed -n 's/^cvm-clevis-test: cpu \([0-9.]*\).*/\1/p' "$console" | tr -d '\r')" \
        "$(sed -n 's/^cvm-clevis-test: programs \([0-9]*\).*/\1/p' "$console" | tr -d '\r')"
}
printf '\nboot by the TPM\n'
for _ in $(seq "${BOOTS:-3}"); do
    measured ours "$ours_tpm"
    measured clevis "$clevis_tpm" -- "rd.luks.name=$luks_uuid=root"
done
