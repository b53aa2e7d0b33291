# shellcheck shell=bash disable=SC2034,SC2154
# Encrypted images without device-mapper, loop devices or a virtual machine. Sourced by run.sh.

# Sets passphrase to the file that opens images, and plain to one that nothing is bound to.
prepare_images() {
    passphrase=$run/passphrase
    printf 'correct horse' >"$passphrase"
    mkdir "$run/content" "$run/host-content"
    echo "from the owner" >"$run/content/mark"
    echo "from the host" >"$run/host-content/mark"
    plain=$run/plain.img
    make_root "$plain"
}

# make_volume FILE LUKS_UUID FS_UUID [CONTENT MIB]: LUKS2 around an ext4 of 16 MiB, or more, that holds a file, or what is in
# the folder CONTENT. The file system is made first, then encrypted in place by cryptsetup alone; that moves it by half of the
# 32 MiB that are reserved.
make_volume() {
    local content=${4:-$run/content} size=${5:-16}
    rm -f "$1"
    truncate -s "$((size + 32))M" "$1"
    mke2fs -q -F -t ext4 -O ^has_journal,^metadata_csum_seed -m 0 -U "$3" -d "$content" "$1" "${size}M"
    cryptsetup reencrypt --encrypt --type luks2 --uuid "$2" --reduce-device-size 32M --cipher aes-xts-plain64 --key-size 512 \
        --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "$passphrase" --batch-mode "$1" >/dev/null 2>&1
}

# make_root FILE: the volume that guests have their root on.
make_root() { make_volume "$1" "$luks_uuid" "$root_uuid"; }

# make_host_root IMAGE OUT: the header of IMAGE, whose data is in the clear now, and there a file system of the host's with the
# UUID of the root's. It takes no secret to make, and a genuine guest gets its key for it.
make_host_root() {
    Tests/EndToEnd/null-cipher.py "$1" "$2"
    mke2fs -q -F -t ext4 -O ^has_journal,^metadata_csum_seed -m 0 -U "$root_uuid" -E offset=$((16 << 20)) \
        -d "$run/host-content" "$2" 16M
}

# pcr_of_volume IMAGE: what PCR 15 is once the volume is measured, in upper-case hexadecimal.
pcr_of_volume() {
    cryptsetup luksDump --dump-volume-key --volume-key-file "$work/volume-key" --batch-mode --key-file "$passphrase" "$1" \
        >/dev/null
    python3 -c 'import hashlib, hmac, sys
key = open(sys.argv[1], "rb").read()
code = hmac.new(key, b"cryptsetup:root:" + sys.argv[2].encode(), hashlib.sha256).digest()
print(hashlib.sha256(bytes(32) + code).hexdigest().upper())' "$work/volume-key" "$luks_uuid"
    rm "$work/volume-key"
}
