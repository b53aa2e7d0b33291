#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds `cvm-clevis measure` of UKIs and of TDX direct boot against another reading of the specifications. Arguments: cvm-clevis, a
directory to work in, the seed."""
import base64
import hashlib
import json
import pathlib
import random
import struct
import subprocess
import sys
import uuid

program, work, rng = sys.argv[1], pathlib.Path(sys.argv[2]), random.Random(int(sys.argv[3]))
checks = 0


def check(condition, what):
    global checks
    if not condition:
        sys.exit(f"boot.py: not so: {what}")
    checks += 1


def run(*arguments):
    result = subprocess.run([program, "measure", *map(str, arguments)], capture_output=True, text=True)
    check(result.returncode == 0, f"{arguments}: {result}")
    return result.stdout.strip()


def refused(why, *arguments):
    result = subprocess.run([program, "measure", *map(str, arguments)], capture_output=True, text=True)
    check(result.returncode == 1 and why in result.stderr and not result.stdout, f"refused, {why}: {result}")


def write(name, content):
    path = work / name
    path.write_bytes(content)
    return path


def sha384(data):
    return hashlib.sha384(data).digest()


def pe(sections, tail=b"", signature=b"", long=True):
    """A PE file, and its Authenticode SHA-384, from the same parts: headers without checksum and certificate table, sections, the rest."""
    directory = 112 if long else 96
    optional = bytearray(struct.pack("<H", 0x20B if long else 0x10B).ljust(directory + 128, b"\0"))
    struct.pack_into("<I", optional, 60, 0x400)
    struct.pack_into("<I", optional, 64, rng.getrandbits(32))
    struct.pack_into("<I", optional, directory - 4, 16)
    table, body = b"", b""
    for name, content in sections:
        padded = content.ljust((len(content) + 511) // 512 * 512, b"\0")
        table += struct.pack("<8sIIIIIIHHI", name.encode(), len(content), 0x1000, len(padded), 0x400 + len(body), 0, 0, 0, 0, 0)
        body += padded
    struct.pack_into("<II", optional, directory + 32, 0x400 + len(body) + len(tail) if signature else 0, len(signature))
    head = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x80)
    head = head.ljust(0x80, b"\0") + b"PE\0\0" + struct.pack("<HHIIIHH", 0x8664, len(sections), 0, 0, 0, len(optional), 0x22E)
    start = len(head)
    head = (head + optional + table).ljust(0x400, b"\0")
    covered = head[: start + 64] + head[start + 68 : start + directory + 32] + head[start + directory + 40 :] + body + tail
    return head + body + tail + signature, sha384(covered)


def extend(*digests):
    register = bytes(48)
    for digest in digests:
        register = sha384(register + digest)
    return register


def event_log(events):
    """A CCEL table's area (TCG PC Client Platform Firmware Profile): register, type and digest of each event; 0 is MRTD's register."""
    spec = b"Spec ID Event03\0" + struct.pack("<IBBBBI", 0, 0, 2, 0, 2, 2) + struct.pack("<HHHH", 0x0B, 32, 0x0C, 48) + b"\0"
    log = struct.pack("<II20xI", 1, 3, len(spec)) + spec
    for register, kind, digest in events:
        data = rng.randbytes(rng.randint(0, 50))
        digests = [(0x0B, rng.randbytes(32)), (0x0C, digest)][rng.randint(0, 1) :]
        log += struct.pack("<III", register, kind, len(digests))
        log += b"".join(struct.pack("<H", algorithm) + value for algorithm, value in digests) + struct.pack("<I", len(data)) + data
    return log + rng.choice([b"", bytes(100), b"\xff" * 100])


def mrtd(image, start, first=False):
    """Of an image whose TDVF metadata is at `start`; `first`: a section's pages are added before the first of them is measured."""
    register = hashlib.sha384()

    def record(name, address):
        register.update(name.ljust(16, b"\0") + struct.pack("<Q", address).ljust(112, b"\0"))

    for index in range(struct.unpack_from("<I", image, start + 12)[0]):
        offset, stored, address, size, _, attributes = struct.unpack_from("<IIQQII", image, start + 16 + 32 * index)
        content = image[offset : offset + stored].ljust(size, b"\0")
        pages = range(0, 0 if attributes & 2 else size, 4096)
        for page in pages if first else ():
            record(b"MEM.PAGE.ADD", address + page)
        for page in pages:
            if not first:
                record(b"MEM.PAGE.ADD", address + page)
            for chunk in range(page, page + 4096 if attributes & 1 else page, 256):
                record(b"MR.EXTEND", address + chunk)
                register.update(content[chunk : chunk + 256])
    return register.digest()


def firmware(table):
    footer = uuid.UUID("96b582de-1fb2-45f7-baea-a366c55a082d").bytes_le
    entries = b"".join(data + struct.pack("<H", len(data) + 18) + uuid.UUID(guid).bytes_le for guid, data in table)
    entries += struct.pack("<H", len(entries) + 18) + footer
    image = bytearray(rng.randbytes(8192))
    image[-32 - len(entries) : -32] = entries
    return image


sev = write("sev.fd", firmware([("7255371f-3a3b-4b04-927b-1da6efa8d454", struct.pack("<II", 0x810C00, 0x400)),
                                ("dc886566-984a-4798-a75e-5585a7bf67cc", struct.pack("<I", 8192))]))
image = bytearray(sev.read_bytes())
image[:28] = b"ASEV" + struct.pack("<IIIIII", 28, 1, 1, 0x810000, 4096, 0x10)
sev.write_bytes(image)
tdx = write("tdx.fd", firmware([("e47a6535-984a-4798-865e-4685a7bf8ec2", struct.pack("<I", 8192))]))
image = bytearray(tdx.read_bytes())
image[:48] = b"TDVF" + struct.pack("<III", 48, 1, 1) + struct.pack("<IIQQII", 0, 8192, 0xFFFFE000, 8192, 0, 1)
tdx.write_bytes(image)

for number in range(12):
    sections = [(".text", rng.randbytes(rng.randint(1, 5000))), (".data", rng.randbytes(rng.randint(1, 900)))]
    tail, signature = rng.choice([b"", rng.randbytes(77)]), rng.choice([b"", rng.randbytes(64)])
    kernel, authenticode = pe(sections, tail, signature, long=rng.random() < 0.8)
    initrd = rng.randbytes(rng.randint(1, 700_000))
    line = rng.choice(["", "console=ttyS0 quiet", "root=LABEL=w\u00fcrzig \U0001F512"])
    stub = [(".text", rng.randbytes(100)), (".osrel", b"ID=test\n"), (".cmdline", line.encode() + rng.choice([b"", b"\n", b"\0"])),
            (".initrd", initrd), (".linux", kernel)]
    rng.shuffle(stub)
    files = ("--kernel", write("kernel", kernel), "--initrd", write("initrd", initrd), "--append", line)
    uki = ("--uki", write("uki", pe(stub)[0]))
    for mode in (["sev", "--firmware", sev], ["seves", "--firmware", sev, "--vcpus", 1],
                 ["snp", "--firmware", sev, "--vcpus", 1], ["tdx", "--firmware", tdx]):
        check(run(*mode, *files) == run(*mode, *uki), f"{mode[0]}: a UKI is its parts")
    expected = {
        "mrtd": mrtd(tdx.read_bytes(), 0),
        "rtmr1": extend(authenticode, sha384(b"Calling EFI Application from Boot Option"), sha384(bytes(4)),
                        sha384(b"Exit Boot Services Invocation"), sha384(b"Exit Boot Services Returned with Success")),
        "rtmr2": extend(sha384((line + " initrd=initrd\0").encode("utf-16-le")), sha384(initrd)),
    }
    said = dict(row.split() for row in run("tdx", "--firmware", tdx, *uki).splitlines())
    check(said == {name: value.hex() for name, value in expected.items()}, "registers are those of another reading")
    for mode in (["sev", "--firmware", sev], ["snp", "--firmware", sev, "--vcpus", 1], ["tdx", "--firmware", tdx]):
        answer = json.loads(run(*mode, *uki, "--json", "--explain"))
        steps = {step["part"]: step["digest"] for step in answer["steps"]}
        if mode[0] == "tdx":
            check(steps["rtmr1 kernel"] == authenticode.hex() and steps["rtmr2 initrd"] == sha384(initrd).hex(), "with what is extended")
            check(steps["mrtd section 0"] == answer["mrtd"], "and MRTD step by step")
        else:
            digests = [hashlib.sha256(part).hexdigest() for part in (kernel, initrd, line.encode() + b"\0")]
            check([steps[name] for name in ("kernel", "initrd", "command line")] == digests, f"{mode[0]} explains its inputs")
            check(answer["steps"][-1]["digest"] == answer["measurement"], "and the last step is the measurement")
    values = json.loads(run("tdx", "--firmware", tdx, *uki, "--set", "image:3", "--days", 7))
    check(values["tdx"] == {name: [base64.urlsafe_b64encode(value).decode()] for name, value in expected.items()}, "so is a set")
    check(values["exp"] - values["iat"] == 7 * 86400 and values["version"] == 3 and len(values["covers"]) == 4, "with its head")
    alone = dict(row.split() for row in run("tdx", "--firmware", tdx, "--kernel", work / "kernel").splitlines())
    check(alone["rtmr2"] == extend(sha384(b"\0\0")).hex(), "without initrd and command line a NUL is left")
    # RTMR0 is what the events of the second register give, in their order; type 3 (EV_NO_ACTION) is not measured.
    events = [(rng.randint(0, 4), rng.choice([3, 4, 0x80000001]), rng.randbytes(48)) for _ in range(rng.randint(5, 40))]
    events.insert(rng.randint(0, 5), (1, 4, rng.randbytes(48)))
    log = write("ccel", event_log(events))
    learned = dict(row.split() for row in run("tdx", "--firmware", tdx, *uki, "--event-log", log).splitlines())
    rtmr0 = extend(*[digest for register, kind, digest in events if register == 1 and kind != 3])
    check(learned == {**said, "rtmr0": rtmr0.hex()}, "a log adds RTMR0 and nothing else")
    answer = json.loads(run("tdx", "--firmware", tdx, *uki, "--event-log", log, "--json"))
    check(answer["rtmr0"] == rtmr0.hex(), "JSON has it")
    values = json.loads(run("tdx", "--firmware", tdx, *uki, "--event-log", log, "--set", "image:4"))["tdx"]
    check(values["rtmr0"] == [base64.urlsafe_b64encode(rtmr0).decode()] and len(values) == 4, "so has a set")
    for bad, why in [(event_log([(2, 4, bytes(48))]), "no event of RTMR0"), (log.read_bytes()[:90], "is cut off"),
                     (b"", "Spec ID Event03"), (event_log([(5, 4, bytes(48))]), "register 5"), (bytes(2 << 20), "more than")]:
        refused(why, "tdx", "--firmware", tdx, *uki, "--event-log", write("bad", bad))
debian = pathlib.Path("/usr/share/ovmf/OVMF.fd")
content = debian.read_bytes()
for first in (False, True):
    expected = mrtd(content, content.rindex(b"TDVF"), first).hex()
    check(run("tdx", "--firmware", debian, *(["--pages-first"] if first else [])) == expected, "MRTD of Debian's OVMF")
print(f"{checks} checks of UKIs and TDX registers, no differences")
