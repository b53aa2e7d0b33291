# shellcheck shell=bash disable=SC2154
# An SEV guest and its owner: the secret that comes with the launch; and what an owner says of an SEV-SNP launch. That sessions, packets and
# ID blocks are the firmware's, bit for bit, is for Tests/LaunchOracle.

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
expect "outside of the guest a check sees nothing that fails" sh -c \
    "cvm-clevis luks check -d '$disk' --boot-config '$work/sev.json' | tee '$work/checked' | grep -q '^warning .*its secret comes with a launch' &&
        ! grep -q ^fails '$work/checked'"
expect "in it the secret is seen to open the volume" sev_guest --secret "$guid:$work/launch.key" -- sh -c \
    "cvm-clevis luks check -d '$disk' --boot-config '$work/sev.json' | grep -q 'token 0: sev-secret: gives its secret back'"
expect "a guest with the secret opens it" sev_guest --secret "$guid:$work/launch.key" -- "${unlock[@]}"
expect "trying takes nothing away" sev_guest --secret "$guid:$work/launch.key" -- \
    sh -c "'${unlock[0]}' --boot-config '$work/sev.json' --device 'root=$disk' --test && test -f /sys/kernel/security/secrets/coco/$guid"
unavailable "a guest without it does not" 'was not put in at this launch' sev_guest -- "${unlock[@]}"
unavailable "nor a machine whose kernel has no such directory" 'lacks efi_secret' cvm-tee-sim run --tee none -- "${unlock[@]}"
head -c 32 /dev/zero >"$work/other.key"
reject "nor a guest with another secret" 'wrong key or changed message' sev_guest --secret "$guid:$work/other.key" -- "${unlock[@]}"
head -c 31 /dev/zero >"$work/short.key"
expect "which a check there says fails" sev_guest --secret "$guid:$work/other.key" -- sh -c \
    "! cvm-clevis luks check -d '$disk' --boot-config '$work/sev.json' >'$work/checked' && grep -q '^fails .*sev-secret' '$work/checked'"
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
note "the owner's side of an SEV launch"
head -c 10000 /dev/zero >"$work/zeros"
reject "certificates that are none" 'the PDH: it is not of version 1' cvm-clevis sev-secret session --platform "$work/zeros" \
    --amd "$work/zeros" --output "$work/session"
expect "leave no session behind" test ! -e "$work/session"
mkdir "$work/session"
head -c 16 /dev/urandom >"$work/session/tek.key"
head -c 16 /dev/zero | tr '\0' '\1' >"$work/session/tik.key"
# measure DIGEST: what the firmware would say of a launch, under that TIK, policy 3, version 0.24.15.
measure() {
    local nonce=000102030405060708090a0b0c0d0e0f tik
    tik=$(printf '01%.0s' {1..16})
    { python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex("0400180f03000000" + sys.argv[1] + sys.argv[2]))' "$1" $nonce |
        openssl mac -digest SHA256 -macopt "hexkey:$tik" -binary HMAC
      python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.argv[1]))' $nonce; } | base64 -w0
}
digest=$(cvm-clevis measure sev --firmware /usr/share/ovmf/OVMF.fd)
build=(cvm-clevis sev-secret build --session "$work/session" --digest "$digest" --firmware-version 0.24.15
    --secret "$guid:$work/launch.key")
expect "the expected launch gets its secret, as a command for QEMU" sh -c \
    '"$@" | jq -e ".execute == \"sev-inject-launch-secret\" and (.arguments[\"packet-header\"] | length) == 72" >/dev/null' - \
    "${build[@]}" --measure "$(measure "$digest")"
reject "another launch gets none" 'refused: launch measure' "${build[@]}" --measure "$(measure "$(printf '00%.0s' {1..32})")"
expect "a packet without secrets is wrong usage" sh -c '"$@" 2>/dev/null; test $? = 2' - cvm-clevis sev-secret build \
    --session "$work/session" --digest "$digest" --firmware-version 0.24.15 --measure "$(measure "$digest")"

note "ID blocks, and a guest that was launched with one"
for name in id author; do openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out "$work/$name.pem" 2>/dev/null; done
measurement=$(cvm-clevis measure snp --firmware /usr/share/ovmf/OVMF.fd --vcpus 4)
create=(cvm-clevis id-block create --id-key "$work/id.pem" --author-key "$work/author.pem" --measurement "$measurement")
expect "a block is made" sh -c '"$@" 2>/dev/null | grep -q "^id-block=.*,id-auth=.*,author-key-enabled=on$"' - "${create[@]}" --svn 2
"${create[@]}" --svn 2 --output "$work/blocks" --json >"$work/block.json"
expect "it is shown, and verifies" sh -c \
    "cvm-clevis id-block show '$work/blocks/id-block.b64' '$work/blocks/id-auth.b64' | grep -qx 'signatures: verified'"
"${create[@]}" --svn 3 --output "$work/newer" 2>/dev/null
reject "what authenticates another block does not" 'ID key has not signed the block' \
    cvm-clevis id-block show "$work/blocks/id-block.b64" "$work/newer/id-auth.b64"
jq '.policy + {covers: ["firmware"], guest_svn: 2}' "$work/block.json" >"$work/id-policy.json"
expect "its digests are a policy" cvm-clevis policy explain "$work/id-policy.json"
hex() { jq -r ".policy.$1[0]" "$work/block.json" | tr '_-' '/+' | base64 -d | od -An -v -tx1 | tr -d ' \n'; }
cvm-tee-sim trust "$work/sev-simulator"
evidence() { # evidence SVN: of a guest that was launched with a block of these keys
    cvm-tee-sim run --tee snp --id-key-digest "$(hex id_key_digest)" --author-key-digest "$(hex author_key_digest)" \
        --guest-svn "$1" -- cvm-clevis evidence get --output "$work/id-evidence.json" 2>/dev/null
}
rm -f "$work/id-evidence.json"; evidence 3
verify=(cvm-clevis evidence verify "$work/id-evidence.json" --policy "$work/id-policy.json" --trust-simulator "$work/sev-simulator")
expect "which takes a newer image without another binding" "${verify[@]}"
rm -f "$work/id-evidence.json"; evidence 1
expect "and refuses an older one" sh -c '! "$@" >/dev/null 2>&1' - "${verify[@]}"

note "reference values from a UKI"
python3 - "$work" <<'PROGRAM'
import pathlib, struct, sys, uuid
work = pathlib.Path(sys.argv[1])
parts = {".linux": b"MZ a kernel" * 99, ".initrd": b"an initrd" * 999, ".cmdline": b"quiet root=/dev/vda\n"}
head = b"MZ".ljust(0x3c, b"\0") + struct.pack("<I", 0x40) + b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, len(parts), 0, 0, 0, 0, 0)
body = b""
for name, content in parts.items():
    head += struct.pack("<8sIIII16x", name.encode(), len(content), 0, (len(content) + 511) // 512 * 512, 0x400 + len(body))
    body += content.ljust((len(content) + 511) // 512 * 512, b"\0")
    (work / f"uki{name}").write_bytes(content)
(work / "linux.efi").write_bytes(head.ljust(0x400, b"\0") + body)
image = bytearray(8192)
image[:28] = b"ASEV" + struct.pack("<IIIIII", 28, 1, 1, 0x810000, 4096, 0x10)
table = b""
for guid, data in [("7255371f-3a3b-4b04-927b-1da6efa8d454", struct.pack("<II", 0x810c00, 0x400)),
                   ("dc886566-984a-4798-a75e-5585a7bf67cc", struct.pack("<I", 8192))]:
    table += data + struct.pack("<H", len(data) + 18) + uuid.UUID(guid).bytes_le
table += struct.pack("<H", len(table) + 18) + uuid.UUID("96b582de-1fb2-45f7-baea-a366c55a082d").bytes_le
image[-32 - len(table):-32] = table
(work / "hashing.fd").write_bytes(image)
PROGRAM
apart=$(cvm-clevis measure snp --firmware "$work/hashing.fd" --vcpus 1 --kernel "$work/uki.linux" --initrd "$work/uki.initrd" \
    --append 'quiet root=/dev/vda')
expect "a UKI measures as its parts do" test \
    "$(cvm-clevis measure snp --firmware "$work/hashing.fd" --vcpus 1 --uki "$work/linux.efi")" = "$apart"
expect "and is found by its measurement" cvm-clevis measure match "$apart" --firmware "$work/hashing.fd" --uki "$work/linux.efi"
head -c 999 /dev/urandom >"$work/newer.initrd"
match=(cvm-clevis measure match "$(cvm-clevis measure snp --firmware "$work/hashing.fd" --vcpus 1 --uki "$work/linux.efi" --vmm gce)"
    --firmware /usr/share/ovmf/OVMF.fd --kernel "$work/uki.linux" --initrd "$work/newer.initrd" --append quiet --vcpus 2
    --maximum-vcpus 8)
reject "where nothing fits, it says among what the odd one is" 'no launch out of' "${match[@]}"
expect "among others each input that differs is named" "${match[@]}" \
    --other-firmware "$work/hashing.fd" --other-initrd "$work/uki.initrd" --other-append 'quiet root=/dev/vda'
cp "$work/out" "$work/match"
expect "and nothing else is" diff "$work/match" - <<LINES
matches: gce, 1 processor of type EPYC-v4, features 0x1
differs: vmm gce, not qemu-6.10+
differs: vcpus 1, not 2
differs: firmware $work/hashing.fd, not /usr/share/ovmf/OVMF.fd
differs: initrd $work/uki.initrd, not $work/newer.initrd
differs: append 'quiet root=/dev/vda', not 'quiet'
LINES
expect "of a UKI, too" sh -c '"$@" | grep -q "^differs: uki "' - cvm-clevis measure match "$apart" --firmware "$work/hashing.fd" \
    --kernel "$work/newer.initrd" --other-uki "$work/linux.efi" --maximum-vcpus 4
expect "a guest's report has the measurement" cvm-tee-sim run --tee snp --measurement "$apart" -- \
    cvm-clevis evidence get --raw --output "$work/launched.bin"
expect "and is matched" cvm-clevis measure match "$work/launched.bin" --firmware "$work/hashing.fd" --uki "$work/linux.efi"
cp "$work/out" "$work/match"
expect "without a difference" diff "$work/match" - <<<'matches: qemu-6.10+, 1 processor of type EPYC-v4, features 0x1'
expect "the measurement is a set that is ready to sign" sh -c \
    "cvm-clevis measure snp --firmware '$work/hashing.fd' --vcpus 1 --uki '$work/linux.efi' --set root-image:2 --days 30 |
        cvm-clevis refvalues sign - -o '$work/uki.jws'"
expect "which is good for what the measurement covers" sh -c \
    "cvm-clevis refvalues show '$work/uki.jws' | tee '$work/uki.shown' | grep -q 'cmdline' && grep -q '$apart' '$work/uki.shown'"
reject "a file that is no UKI" 'it is no PE file' cvm-clevis measure snp --firmware "$work/hashing.fd" --vcpus 1 \
    --uki "$work/uki.initrd"
