# shellcheck shell=bash disable=SC2034,SC2154
# The guest as a system that boots to its end, as small as one boot needs it. Sourced by run.sh.

# What nothing in a boot reads.
unread=(
    boot etc/cvm-clevis-test-owner usr/include usr/lib/clevis usr/lib/dracut usr/lib/gcc usr/lib/x86_64-linux-gnu/perl-base
    usr/libexec/gcc usr/share/bash-completion usr/share/doc usr/share/i18n usr/share/info usr/share/locale usr/share/man
    usr/share/perl usr/share/perl5 usr/src var/cache var/lib/apt var/lib/dpkg
)

# prepare_system FOLDER: hard links to what the root has, so nothing in it may be changed, only replaced.
prepare_system() {
    local path
    cp -al "$root" "$1"
    for path in "${unread[@]}"; do rm -rf "${1:?}/$path"; done
    find "$1/usr/lib/x86_64-linux-gnu" -name '*.a' -delete
    find "$1/usr/bin" "$1/usr/lib/x86_64-linux-gnu" -size +8M ! -name 'libcrypto*' ! -name 'cvm-*' -delete
    cp Tests/Boot/dracut/59cvm-clevis-test/report.sh "$1/usr/bin/cvm-clevis-test-report"
    chmod 0755 "$1/usr/bin/cvm-clevis-test-report"
}
