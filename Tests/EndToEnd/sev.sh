# shellcheck shell=bash disable=SC2154
# An SEV guest and its owner: the secret that comes with the launch.

export XDG_CONFIG_HOME=$work/sev-owner
passphrase=$work/passphrase
printf 'correct horse' >"$passphrase"
printf 'a secret' >"$work/secret"
cvm-clevis init 2>/dev/null

note "pin sev-secret"
disk=$work/sev.img
make_image "$disk" "$passphrase" >/dev/null
expect "the secret is made at binding" cvm-clevis luks bind -d "$disk" -k "$passphrase" -p sev-secret -c "{\"file\":\"$work/launch.key\"}"
expect "and is its owner's alone" sh -c "stat -c '%a %s' '$work/launch.key' | grep -qx '600 32'"
expect "the disk does not have it" python3 -c 'import sys
secret, disk = (open(path, "rb").read() for path in sys.argv[1:])
sys.exit(secret in disk)' "$work/launch.key" "$disk"
guid=$(cvm-clevis luks list -d "$disk" | grep -o '[0-9a-f]\{8\}-[0-9a-f-]\{27\}')
expect "its guest's configuration is written" cvm-clevis boot-config create -d "$disk" --name root --output "$work/sev.json"
unlock=(cvm-clevis-unlock --boot-config "$work/sev.json" --device "root=$disk" --test)
sev_guest() { cvm-tee-sim run --tee sev "$@"; }
expect "a guest with the secret opens it" sev_guest --secret "$guid:$work/launch.key" -- "${unlock[@]}"
expect "trying takes nothing away" sev_guest --secret "$guid:$work/launch.key" -- \
    sh -c "'${unlock[0]}' --boot-config '$work/sev.json' --device 'root=$disk' --test && test -f /sys/kernel/security/secrets/coco/$guid"
reject "a guest without it does not" 'was not put in at this launch' sev_guest -- "${unlock[@]}"
reject "nor a machine whose kernel has no such directory" 'lacks efi_secret' cvm-tee-sim run --tee none -- "${unlock[@]}"
head -c 32 /dev/zero >"$work/other.key"
reject "nor a guest with another secret" 'wrong key or changed message' sev_guest --secret "$guid:$work/other.key" -- "${unlock[@]}"
head -c 31 /dev/zero >"$work/short.key"
reject "nor one with something else" 'has 31 bytes' sev_guest --secret "$guid:$work/short.key" -- "${unlock[@]}"
reject "a secret is never written over another file" 'File exists' \
    cvm-clevis luks bind -d "$disk" -k "$passphrase" -p sev-secret -c "{\"file\":\"$work/launch.key\"}"

cvm-clevis encrypt sev-secret "{\"file\":\"$work/once.key\",\"guid\":\"0a1b2c3d-0000-4000-8000-0123456789ab\"}" \
    <"$work/secret" >"$work/once.jwe"
once=(--secret "0a1b2c3d-0000-4000-8000-0123456789ab:$work/once.key")
expect "a secret that is handed over is taken away, and only the one" sev_guest "${once[@]}" --secret "$guid:$work/launch.key" -- sh -c \
    "cvm-clevis decrypt <'$work/once.jwe' | cmp - '$work/secret' && ls /sys/kernel/security/secrets/coco | grep -qx '$guid'"
reject "so that it is not there again" 'was not put in at this launch' sev_guest "${once[@]}" -- sh -c \
    "cvm-clevis decrypt <'$work/once.jwe' >/dev/null && exec cvm-clevis decrypt <'$work/once.jwe'"

note "one secret for GRUB and the initrd"
disk=$work/grub.img
make_image "$disk" "$passphrase" >/dev/null
expect "a passphrase is made" cvm-clevis luks bind -d "$disk" -k "$passphrase" -p sev-secret \
    -c "{\"file\":\"$work/grub.pass\",\"mode\":\"passphrase\"}"
expect "cryptsetup gives it a keyslot of its own" cryptsetup luksAddKey --batch-mode --key-file "$passphrase" \
    --pbkdf-force-iterations 1000 --pbkdf pbkdf2 "$disk" "$work/grub.pass"
expect "which opens the disk, as in GRUB" cryptsetup open --test-passphrase --key-file "$work/grub.pass" "$disk"
expect "the configuration allows this mode" cvm-clevis boot-config create -d "$disk" --name root --output "$work/grub.json"
{ cat "$work/grub.pass"; printf '\0'; } >"$work/grub.entry"
grub=(--secret "736869e5-84f0-4973-92ec-06879ce3da0b:$work/grub.entry")
expect "and the guest opens it with GRUB's entry" sev_guest "${grub[@]}" -- \
    cvm-clevis-unlock --boot-config "$work/grub.json" --device "root=$disk" --test
python3 -c 'import json,sys; c=json.load(open(sys.argv[1])); del c["volumes"][0]["modes"]; print(json.dumps(c))' \
    "$work/grub.json" >"$work/modeless.json"
reject "a configuration that does not name the mode refuses it" 'mode' sev_guest "${grub[@]}" -- \
    cvm-clevis-unlock --boot-config "$work/modeless.json" --device "root=$disk" --test
disk=/dev/null
