# shellcheck shell=bash disable=SC2154
# A disk that is genuine while its header is looked at and then turns into the one whose data is the host's own file system, in
# the clear: after each of the reads that a boot makes of its first sector, on every front.

quietly cvm-clevis init
cp "$plain" "$work/genuine.img"
quietly cvm-clevis luks bind -d "$work/genuine.img" -k "$passphrase" -p null
quietly cvm-clevis boot-config create -d "$work/genuine.img" --output "$work/turning.json"
make_host_root "$work/genuine.img" "$work/hostile.img"

# turn_after READS: sets disk to one that does.
turn_after() {
    local socket=$work/disk.socket
    stop_peers
    rm -f "$socket"
    Tests/Boot/turning-disk.py "$socket" "$work/genuine.img" "$work/hostile.img" "$1" >"$work/reads" &
    peers+=($!)
    until [ -S "$socket" ]; do sleep 0.05; done
    disk="nbd+unix:///?socket=$socket"
}

# The mapping that a console speaks of.
mapping() { tr -d '\r' <"$console" | grep -a '^cvm-clevis-test: root: ' || true; }
as_genuine_or_closed() { [ -z "$(mapping)" ] || [ "$(mapping)" = "$genuine" ]; }

for front in socket plugin agent; do
    choose_front "$front"
    make_initrd "$front" "$work/turning.json"
    turn_after 1000
    opens "the $front: a disk that does not turn" "$initrd" "$disk"
    genuine=$(mapping)
    last=$(wc -l <"$work/reads")
    for reads in $(seq 1 "$((last - 1))"); do
        turn_after "$reads"
        name="the $front: a disk that turns after $reads of $last reads is as it was, or stays closed"
        boot "$name" "$initrd" "$disk"
        expect "$name" as_genuine_or_closed
    done
done
choose_front socket
stop_peers
