# shellcheck shell=bash disable=SC2034,SC2154
# What the files of the boot suite share: where things lie, and commands in the guest's root. Sourced from the project's root.

# Guest roots live here between runs, each in a folder named by a hash of what made it.
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cvm-clevis/boot

# What an image is made with. Fixed, so that a header or a file system of another image can pretend to be this one.
luks_uuid=22222222-2222-4222-8222-222222222222
root_uuid=11111111-1111-4111-8111-111111111111
data_uuid=33333333-3333-4333-8333-333333333333
data_luks_uuid=44444444-4444-4444-8444-444444444444

# The Debian archive that the host's own apt uses.
archive() {
    { cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true; } |
        sed -nE -e 's/^deb +(\[[^]]*\] +)?([^ ]+).*/\2/p' -e 's/^URIs: *//p' | tr ' ' '\n' |
        awk '/\/debian\/?$/ && !found { found = 1; print } END { exit !found }' || die "no Debian archive in /etc/apt"
}

# in_root ROOT COMMAND…: in that root, with /dev, /proc and a /run of its own. They are mounted in a private namespace, so
# nothing is left behind, whatever happens.
in_root() {
    # shellcheck disable=SC2016 # expanded by the shell inside
    unshare --mount bash -ec 'root=$1; shift
        mount --rbind /dev "$root/dev"; mount -t proc proc "$root/proc"; mount -t tmpfs tmpfs "$root/run"
        exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"' _ "$@"
}

# Runs a command in the guest's root.
in_guest() { in_root "$guest" "$@"; }

# Everything that boots have in common; sets run to a folder that goes with the script.
prepare_boots() {
    [ "$(id -u)" = 0 ] || die "needs root, for the guest's root and private mounts"
    scripts/setup --boot
    [ -n "${PROGRAMS:-}" ] || build_release
    export PROGRAMS
    PATH=$PROGRAMS:$PATH
    mkdir -p "$cache"
    run=$(mktemp -d "$cache/run.XXXXXX")
    trap 'stop_broker; stop_peers; if [ -z "${CVM_CLEVIS_BOOT_KEEP:-}" ]; then rm -rf "$run"; else echo "kept: $run"; fi' EXIT
    prepare_guest
    prepare_images
}
