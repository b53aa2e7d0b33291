# shellcheck shell=bash disable=SC2154
# The two fronts beside the socket, over the network, and what each does with the disk that opens in the clear.

prepare_owner "$work" 10.0.2.2
cp "$plain" "$work/fronts.img"
quietly cvm-clevis luks bind -d "$work/fronts.img" -k "$passphrase" -p snp-attest
quietly cvm-clevis boot-config create -d "$work/fronts.img" --output "$work/fronts.json"
make_host_root "$work/fronts.img" "$work/host-root.img"

for front in socket plugin agent; do
    choose_front "$front"
    make_initrd "$front" "$work/fronts.json"
    [ "$front" = socket ] || opens "the $front: the root opens" "$initrd" "$work/fronts.img"
    stays_closed "the $front: a disk whose data is the host's own file system, in the clear" 'root.*encryption' \
        "$initrd" "$work/host-root.img"
done
choose_front socket
stop_broker
