# SPDX-License-Identifier: Apache-2.0
"""Compares launch measurements with those of sev-snp-measure, on firmware images made at random.

Usage: compare.py CVM-CLEVIS COUNT [SEED]. Every difference is printed with the command that shows it.
"""

import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import uuid

from sevsnpmeasure import guest, vcpu_types
from sevsnpmeasure.sev_mode import SevMode
from sevsnpmeasure.vmm_types import VMMType

PAGE = 4096
FOOTER = "96b582de-1fb2-45f7-baea-a366c55a082d"
HASH_TABLE = "7255371f-3a3b-4b04-927b-1da6efa8d454"
RESET_BLOCK = "00f771de-1a7e-4fcb-890e-68c77e2fb44e"
SEV_METADATA = "dc886566-984a-4798-a75e-5585a7bf67cc"
SVSM_INFO = "a789a612-0597-4c4b-a49f-cbb1fe9d1ddd"
UNKNOWN = "7a6d5c4b-3a29-4817-8605-f4e3d2c1b0a9"
VMMS = {"qemu-6.10+": VMMType.QEMU, "ec2-2026": VMMType.ec2, "gce": VMMType.gce}


def entry(guid, data):
    return data + struct.pack("<H", len(data) + 18) + uuid.UUID(guid).bytes_le


def sections(rng, has_hashes):
    """Memory, secrets, CPUID, perhaps the calling area of an SVSM and a page for hashes, in any order."""
    kinds = [1] * rng.randint(1, 3) + [2, 3] + [4] * rng.randint(0, 1) + [0x10] * has_hashes
    rng.shuffle(kinds)
    address = 0x800000
    for kind in kinds:
        size = PAGE * (rng.randint(1, 9) if kind in (1, 4) else 1)
        yield struct.pack("<III", address, size, kind)
        address += size + PAGE * rng.randint(0, 2)


def firmware(rng, has_hashes, extra=()):
    """An image of random pages, with a table and metadata as an OVMF has them."""
    body = bytearray(rng.randbytes(PAGE * rng.randint(2, 12)))
    items = list(sections(rng, has_hashes))
    metadata = b"ASEV" + struct.pack("<III", 16 + 12 * len(items), 1, len(items)) + b"".join(items)
    start = rng.randint(0, PAGE - len(metadata))
    body[start : start + len(metadata)] = metadata
    entries = [
        entry(SEV_METADATA, struct.pack("<I", len(body) - start)),
        entry(RESET_BLOCK, struct.pack("<I", rng.getrandbits(32))),
        entry(HASH_TABLE, struct.pack("<II", 0x810000 + rng.randint(1, PAGE - 176) if has_hashes else 0, 0x400)),
        entry(UNKNOWN, rng.randbytes(rng.randint(0, 40))),
        *extra,
    ]
    rng.shuffle(entries)
    table = b"".join(entries)
    table += struct.pack("<H", len(table) + 18) + uuid.UUID(FOOTER).bytes_le
    body[-32 - len(table) : -32] = table
    return bytes(body)


class Case:
    """One launch: files on the disk, our arguments, and the other program's answer."""

    def __init__(self, rng, folder):
        self.rng = rng
        self.folder = folder
        self.mode = rng.choice(["snp", "snp", "snp", "seves", "sev", "svsm"])
        self.vcpus = rng.choice([1, 1, 2, 3, 4, 8, 64])
        self.type = rng.choice(list(vcpu_types.CPU_SIGS))
        self.features = rng.choice([0x1, 0x21])
        self.vmm = rng.choice(list(VMMS)) if self.mode in ("snp", "seves") else "qemu-6.10+"
        has_kernel = self.mode != "svsm" and rng.random() < 0.6
        self.firmware = self.write("firmware", firmware(rng, has_kernel or rng.random() < 0.5))
        self.kernel = self.initrd = self.append = None
        if has_kernel:
            self.kernel = self.write("kernel", rng.randbytes(rng.randint(0, 9000)))
            self.initrd = self.write("initrd", rng.randbytes(rng.randint(0, 9000))) if rng.random() < 0.8 else None
            self.append = rng.choice([None, "", "console=ttyS0 loglevel=7", "root=LABEL=w\u00fcrzig quiet"])

    def write(self, name, data):
        path = self.folder / name
        path.write_bytes(data)
        return str(path)

    def arguments(self):
        command = ["snp" if self.mode == "svsm" else self.mode, "--firmware", self.firmware]
        for name in ("kernel", "initrd", "append"):
            if getattr(self, name) is not None:
                command += [f"--{name}", getattr(self, name)]
        if self.mode != "sev":
            command += ["--vcpus", str(self.vcpus), "--vcpu-type", self.type]
        if self.mode in ("snp", "seves"):
            command += ["--vmm", self.vmm]
        if self.mode == "snp":
            command += ["--guest-features", hex(self.features)]
        if self.mode == "svsm":
            image = firmware(self.rng, False, [entry(SVSM_INFO, struct.pack("<I", self.rng.randint(0, PAGE)))])
            self.svsm = self.write("svsm", image)
            self.variables = PAGE * self.rng.randint(0, 64)
            command += ["--vmm", "svsm-qemu", "--svsm", self.svsm, "--variables-size", str(self.variables)]
        return command

    def expected(self):
        mode = {"snp": SevMode.SEV_SNP, "seves": SevMode.SEV_ES, "sev": SevMode.SEV, "svsm": SevMode.SEV_SNP_SVSM}
        svsm = {"svsm_file": self.svsm, "ovmf_vars_size": self.variables} if self.mode == "svsm" else {}
        return guest.calc_launch_digest(
            mode[self.mode], self.vcpus, vcpu_types.CPU_SIGS[self.type], self.firmware, self.kernel,
            self.initrd, self.append, self.features, vmm_type=VMMS[self.vmm], **svsm,
        ).hex()  # fmt: skip


def main():
    program, count = sys.argv[1], int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1 << 32)
    rng = random.Random(seed)
    differences = 0
    for number in range(count):
        with tempfile.TemporaryDirectory() as folder:
            case = Case(rng, pathlib.Path(folder))
            command = [program, "measure", *case.arguments()]
            ours = subprocess.run(command, capture_output=True, text=True)
            expected = case.expected()
            if ours.stdout.strip() != expected:
                differences += 1
                print(f"case {number}: {command}\n  ours     {ours.stdout.strip()} {ours.stderr.strip()}\n  expected {expected}")
    print(f"{count} launches, {differences} differences (seed {seed})")
    return 1 if differences else 0


sys.exit(main())
