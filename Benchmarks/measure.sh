#!/usr/bin/env bash
# `cvm-clevis measure snp` beside sev-snp-measure, and beside `openssl sha256` over the same files: whole processes in turn, medians,
# and the most memory that ours had. What both measure has to be the same. Fails when a ratio or the memory is over its bar. Release
# program; trust the ratios more than the values, and neither on a machine that does something else. RUNS is the number of runs of each.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/lib.sh

if [ -z "${PROGRAMS:-}" ]; then
    scripts/setup --tests
    scripts/release-build --product cvm-clevis
    PROGRAMS=$(scripts/release-build --show-bin-path)
fi
install_launch_oracle
runs=${RUNS:-20}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Debian's firmware starts any kernel: a copy is told to look at a kernel's hashes, and the hypervisor to put them there.
python3 - /usr/share/ovmf/OVMF.fd "$work/hashing.fd" <<'P'
import pathlib
import struct
import sys
import uuid

image = bytearray(pathlib.Path(sys.argv[1]).read_bytes())
HASH_TABLE, METADATA = "7255371f-3a3b-4b04-927b-1da6efa8d454", "dc886566-984a-4798-a75e-5585a7bf67cc"


def data(guid):
    """Where the data of the table's entry is: before its length and its GUID."""
    trailer = image.rindex(uuid.UUID(guid).bytes_le) - 2
    return trailer + 18 - struct.unpack_from("<H", image, trailer)[0]


start = len(image) - struct.unpack_from("<I", image, data(METADATA))[0]
count = struct.unpack_from("<I", image, start + 12)[0]
sections = image[start + 16 : start + 16 + 12 * count] + struct.pack("<III", 0x820000, 4096, 0x10)
metadata = b"ASEV" + struct.pack("<III", 16 + len(sections), 1, count + 1) + sections
image[: len(metadata)] = metadata
struct.pack_into("<I", image, data(METADATA), len(image))
struct.pack_into("<II", image, data(HASH_TABLE), 0x820C00, 0x400)
pathlib.Path(sys.argv[2]).write_bytes(image)
P
head -c 12000000 /dev/urandom >"$work/kernel"
head -c 200000000 /dev/urandom >"$work/initrd"

launch=(--vcpus 4 --vcpu-type EPYC-v4)
boot=("${launch[@]}" --kernel "$work/kernel" --initrd "$work/initrd" --append quiet)
ours=("$PROGRAMS/cvm-clevis" measure snp --firmware)
theirs=("$LAUNCH_ORACLE/bin/sev-snp-measure" --mode snp --ovmf)
ours_firmware=("${ours[@]}" /usr/share/ovmf/OVMF.fd "${launch[@]}")
theirs_firmware=("${theirs[@]}" /usr/share/ovmf/OVMF.fd "${launch[@]}")
ours_boot=("${ours[@]}" "$work/hashing.fd" "${boot[@]}")
theirs_boot=("${theirs[@]}" "$work/hashing.fd" "${boot[@]}")

[ "$("${ours_firmware[@]}")" = "$("${theirs_firmware[@]}")" ] || die "firmware: the two measure differently"
[ "$("${ours_boot[@]}")" = "$("${theirs_boot[@]}")" ] || die "kernel and initrd: the two measure differently"
memory=$({ /usr/bin/time -f %M "${ours_boot[@]}" >/dev/null; } 2>&1)

python3 - "$runs" "$memory" "${ours_firmware[*]}" "${theirs_firmware[*]}" "${ours_boot[*]}" \
    "openssl sha256 $work/kernel $work/initrd" "${theirs_boot[*]}" <<'P'
import os
import statistics
import sys
import time

runs, kibibytes, commands = int(sys.argv[1]), int(sys.argv[2]), [command.split() for command in sys.argv[3:]]
silence = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]


def seconds(command):
    """Of the clock and of the processor."""
    start = time.perf_counter()
    process = os.posix_spawnp(command[0], command, os.environ, file_actions=silence)
    _, status, usage = os.wait4(process, 0)
    if status:
        sys.exit(f"failed: {' '.join(command)}")
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime


# In turn, so that what else the machine does meets all of them alike. The first two rounds warm up.
rounds = [[seconds(command) for command in commands] for _ in range(runs + 2)][2:]
clock, processor = ([1000 * statistics.median(column) for column in zip(*([times[kind] for times in round] for round in rounds))]
                    for kind in (0, 1))


def row(label, ours, openssl, theirs):
    print(f"{label:56}{ours:9.1f}{openssl:>9}{theirs:17.1f}")


print(f"{'medians, ms':56}{'ours':>9}{'openssl':>9}{'sev-snp-measure':>17}")
for name, median in (("", clock), (", of the processor", processor)):
    row(f"firmware of 2 MiB{name}", median[0], "", median[1])
    row(f"kernel of 12 MB, initrd of 200 MB{name}", median[2], f"{median[3]:.1f}", median[4])
print()


def bar(label, value, holds, wanted):
    print(f"{label:56}{value:>9}  {wanted}{'' if holds else '  MISSED'}")
    return holds


faster, slower, megabytes = clock[1] / clock[0], clock[2] / clock[3], kibibytes * 1024 / 1e6
held = [
    bar("firmware only: times faster than sev-snp-measure", f"{faster:.1f}", faster >= 4, "at least 4"),
    bar("kernel and initrd: time of openssl's", f"{slower:.2f}", slower <= 1.15, "at most 1.15"),
    bar("kernel and initrd: memory, MB", f"{megabytes:.1f}", megabytes < 16, "under 16"),
]
sys.exit(0 if all(held) else 1)
P
