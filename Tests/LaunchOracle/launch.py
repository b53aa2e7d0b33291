#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plays an SEV platform and its firmware, written from the SEV API and the SEV-SNP Firmware ABI alone, and holds what
`cvm-clevis sev-secret` and `cvm-clevis id-block` make against it, bit for bit. Arguments: cvm-clevis, a directory to work in."""
import base64
import hashlib
import hmac
import json
import os
import pathlib
import struct
import subprocess
import sys
import uuid

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

program, work = sys.argv[1], pathlib.Path(sys.argv[2])
checks = 0


def check(condition, what):
    global checks
    if not condition:
        sys.exit(f"launch.py: not so: {what}")
    checks += 1


def run(*arguments):
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)


def refused(what, pattern, *arguments):
    result = run(*arguments)
    check(result.returncode == 1 and pattern in result.stderr and not result.stdout, f"{what}: {result}")


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256).digest()


def ctr(key, iv, text):
    return Cipher(algorithms.AES(key), modes.CTR(iv)).encryptor().update(text)


def derive(key, label, context=b""):
    return mac(key, struct.pack("<I", 1) + label + b"\0" + context + struct.pack("<I", 128))[:16]


def number(value, size=72):
    return value.to_bytes(size, "little")


def key_field(public):
    numbers = public.public_numbers()
    return (struct.pack("<I", 2) + number(numbers.x) + number(numbers.y)).ljust(1028, b"\0")


def read_key(field):
    curve, x, y = struct.unpack_from("<I72s72s", field)
    check(curve == 2 and not any(field[148:]), "a key is on P-384, with zeros behind it")
    return ec.EllipticCurvePublicNumbers(int.from_bytes(x, "little"), int.from_bytes(y, "little"), ec.SECP384R1()).public_key()


# The platform: AMD's two keys, the chip's, its owner's, and those that it makes itself.
OCA, PEK, PDH, CEK, ASK = 0x1001, 0x1002, 0x1003, 0x1004, 0x13
ECDSA_SHA256, ECDH_SHA256, RSA_SHA384, NONE = 0x2, 0x3, 0x101, 0x1000


def pss(key, message):
    size = key.key_size // 8
    hash = hashes.SHA384() if size == 512 else hashes.SHA256()
    return key.sign(message, padding.PSS(padding.MGF1(hash), hash.digest_size), hash)[::-1]


def amd_certificate(key, usage, issuer):
    bits, numbers = key.key_size, key.public_key().public_numbers()
    body = struct.pack("<I16s16sI16sII", 1, os.urandom(16), os.urandom(16), usage, bytes(16), bits, bits)
    body += number(numbers.e, bits // 8) + number(numbers.n, bits // 8)
    return body + pss(issuer, body)


def sev_certificate(key, usage, signers):
    algorithm = ECDH_SHA256 if usage == PDH else ECDSA_SHA256
    body = struct.pack("<IBBHII", 1, 1, 55, 0, usage, algorithm) + key_field(key.public_key())
    signatures = b""
    for signer_usage, signer in signers:
        if isinstance(signer, rsa.RSAPrivateKey):
            algorithm, value = (RSA_SHA384 if signer.key_size == 4096 else 1), pss(signer, body)
        else:
            r, s = utils.decode_dss_signature(signer.sign(body, ec.ECDSA(hashes.SHA256())))
            algorithm, value = ECDSA_SHA256, number(r) + number(s)
        signatures += struct.pack("<II", signer_usage, algorithm) + value.ljust(512, b"\0")
    empty = struct.pack("<II", NONE, 0) + bytes(512)
    return body + signatures + empty * (2 - len(signers))


def platform(bits):
    ark, ask = (rsa.generate_private_key(65537, bits) for _ in range(2))
    oca, pek, pdh, cek = (ec.generate_private_key(ec.SECP384R1()) for _ in range(4))
    certificates = [
        sev_certificate(pdh, PDH, [(PEK, pek)]), sev_certificate(pek, PEK, [(OCA, oca), (CEK, cek)]),
        sev_certificate(oca, OCA, [(OCA, oca)]), sev_certificate(cek, CEK, [(ASK, ask)]),
    ]
    return pdh, certificates, amd_certificate(ask, ASK, ark) + amd_certificate(ark, 0, ark)


def write(name, content):
    path = work / name
    path.write_bytes(content)
    return path


pdh, certificates, authority = platform(4096)
check(all(len(certificate) == 2084 for certificate in certificates), "certificates of this test are of AMD's size")
chain, amd = write("platform.certs", b"".join(certificates)), write("ask_ark.cert", authority)

# The session: the firmware's side of it.
policy = 0x00370107
session = work / "session"
result = run("sev-secret", "session", "--platform", chain, "--amd", amd, "--policy", hex(policy), "--output", session)
check(result.returncode == 0, f"a session is made: {result}")
godh, blob = (base64.b64decode((session / name).read_text(), validate=True) for name in ("godh.b64", "session.b64"))
check(len(godh) == 2084 and len(blob) == 128, "its two parts are of the API's sizes")
check(struct.unpack_from("<III", godh, 4)[1:] == (PDH, ECDH_SHA256) and godh[:4] == struct.pack("<I", 1), "an agreement key")
check(godh[0x414:] == (struct.pack("<II", NONE, 0) + bytes(512)) * 2, "which nobody signs")
nonce, wrapped, iv, wrap_mac, policy_mac = struct.unpack("<16s32s16s32s32s", blob)
master = derive(pdh.exchange(ec.ECDH(), read_key(godh[0x10:0x414])), b"sev-master-secret", nonce)
check(mac(derive(master, b"sev-kik"), wrapped) == wrap_mac, "the wrapped keys are authentic")
keys = ctr(derive(master, b"sev-kek"), iv, wrapped)
tek, tik = keys[:16], keys[16:]
check(mac(tik, struct.pack("<I", policy)) == policy_mac, "so is the policy")
check((session / "tek.key").read_bytes() == tek and (session / "tik.key").read_bytes() == tik, "the owner has the same keys")
check(all((session / name).stat().st_mode & 0o777 == 0o600 for name in ("tek.key", "tik.key")), "and nobody else has")
check(oct(session.stat().st_mode)[-3:] == "700", "nor may look")

small, small_amd = platform(2048)[1:]
check(run("sev-secret", "session", "--platform", write("small.certs", b"".join(small)), "--amd", write("small.cert", small_amd),
          "--output", work / "small").returncode == 0, "keys of 2048 bits, as the first generation has, do as well")
check(run("sev-secret", "session", "--platform", write("full.certs", b"".join(certificates) + authority), "--amd", amd,
          "--output", work / "full").returncode == 0, "authorities behind the platform's certificates are passed over")
refused("AMD's keys of another generation", "the CEK is not signed by AMD's ASK", "sev-secret", "session", "--platform", chain,
        "--amd", work / "small.cert", "--output", work / "none")
for index, name in enumerate(["PDH", "PEK", "OCA", "CEK"]):
    changed = [bytearray(certificate) for certificate in certificates]
    changed[index][0x20] ^= 1
    refused(f"a changed {name}", "not signed by", "sev-secret", "session", "--platform",
            write("changed.certs", b"".join(changed)), "--amd", amd, "--output", work / "none")
changed = bytearray(authority)
changed[0x60] ^= 1
refused("a changed ASK", "not signed by ARK", "sev-secret", "session", "--platform", chain,
        "--amd", write("changed.cert", bytes(changed)), "--output", work / "none")
forged = platform(2048)[1]
refused("a PDH of another platform", "the PDH is not signed by the PEK", "sev-secret", "session", "--platform",
        write("forged.certs", b"".join([forged[0]] + certificates[1:])), "--amd", amd, "--output", work / "none")
for length in (0, 2083, 4 * 2084 - 1):
    refused(f"{length} bytes of certificates", "less than those of PDH", "sev-secret", "session", "--platform",
            write("short.certs", b"".join(certificates)[:length]), "--amd", amd, "--output", work / "none")
for length in (0, 63, 64, 1600, len(authority) // 2 + 63, len(authority) // 2 + 1087):
    refused(f"{length} bytes of AMD's", "AMD's", "sev-secret", "session", "--platform", chain,
            "--amd", write("short.cert", authority[:length]), "--output", work / "none")
check(not (work / "none").exists(), "what is refused leaves nothing behind")

# The launch measure, and the packet.
digest, major, minor, build = os.urandom(32), 1, 55, 21


def launch_measure(digest, tik=tik, policy=policy, version=(major, minor, build)):
    mnonce = os.urandom(16)
    return mac(tik, struct.pack("<4BI", 4, *version, policy) + digest + mnonce) + mnonce


def packet(measure, *more, digest=digest, policy=policy):
    return ("sev-secret", "build", "--session", session, "--measure", base64.b64encode(measure).decode(), "--digest", digest.hex(),
            "--policy", policy, "--firmware-version", f"{major}.{minor}.{build}", *more)


def area(entries):
    """The secret area, as firmware and kernel read it."""
    body = b"".join(uuid.UUID(guid).bytes_le + struct.pack("<I", 20 + len(secret)) + secret for guid, secret in entries)
    length = (20 + len(body) + 15) // 16 * 16
    head = uuid.UUID("1e74f542-71dd-4d66-963e-ef4287ff173b").bytes_le + struct.pack("<I", length)
    return (head + body).ljust(length, b"\0")


seen = set()
for sizes in ([32], [1, 16, 43], [12, 28], [3032], [7] * 12):
    entries, options = [], []
    for index, size in enumerate(sizes):
        guid, secret = str(uuid.uuid4()), os.urandom(size)
        entries.append((guid, secret))
        options += ["--secret", f"{guid}:{write(f'secret{index}', secret)}"]
    measure = launch_measure(digest)
    result = run(*packet(measure, *options))
    check(result.returncode == 0, f"a packet is made: {result}")
    command = json.loads(result.stdout)
    check(command["execute"] == "sev-inject-launch-secret", "it is a command for QEMU")
    header, payload = (base64.b64decode(command["arguments"][name], validate=True) for name in ("packet-header", "secret"))
    flags, iv, _ = header[:4], header[4:20], header[20:]
    ours = ctr(tek, iv, area(entries))
    lengths = struct.pack("<II", len(ours), len(ours))
    expected = flags + iv + mac(tik, b"\1" + flags + iv + lengths + ours + measure[:32])
    check(flags == bytes(4), "no flags are set")
    check(iv not in seen, "no iv is used twice")
    seen.add(iv)
    check(payload == ours, f"the payload of {sizes} is that of an independent implementation")
    check(header == expected, "and so is its header")

text = write("pass", b"correct horse")
measure = launch_measure(digest)
result = run(*packet(measure, "--passphrase", text, "--output", work / "files"))
check(result.returncode == 0 and not result.stdout, f"files for libvirt: {result}")
header, payload = (base64.b64decode((work / "files" / f"{name}.b64").read_text()) for name in ("header", "payload"))
table = ctr(tek, header[4:20], payload)
check(table == area([("736869e5-84f0-4973-92ec-06879ce3da0b", b"correct horse\0")]), "a passphrase gets its name and zero byte")

wrong = "it is not that of the expected launch"
secret = ("--secret", f"0a1b2c3d-0000-4000-8000-0123456789ab:{write('secret', os.urandom(32))}")
for what, bad in [
    ("another launch", launch_measure(os.urandom(32))), ("another TIK", launch_measure(digest, tik=os.urandom(16))),
    ("another policy", launch_measure(digest, policy=policy & ~1)), ("another build", launch_measure(digest, version=(1, 55, 20))),
    ("a changed nonce", measure[:47] + bytes([measure[47] ^ 1])), ("a changed measure", bytes([measure[0] ^ 1]) + measure[1:]),
]:
    refused(what, wrong, *packet(bad, *secret))
    refused(f"{what}, with files", wrong, *packet(bad, *secret, "--output", work / "nothing"))
check(not (work / "nothing").exists(), "no packet exists before the launch is the expected one")
refused("a short measure", "47 bytes", *packet(measure[:47], *secret))
refused("an area that is full", "3072 bytes", *packet(measure, "--secret", f"{uuid.uuid4()}:{write('large', bytes(3033))}"))
refused("two entries of one name", "two entries", *packet(measure, *secret, *secret))
refused("an empty entry", "is empty", *packet(measure, "--secret", f"{uuid.uuid4()}:{write('empty', b'')}"))
refused("a passphrase with its newline", "newline", *packet(measure, "--passphrase", write("line", b"correct horse\n")))

# ID blocks, as the SEV-SNP firmware reads them.


def private_key(name, curve=ec.SECP384R1()):
    key = ec.generate_private_key(curve)
    encoding = serialization.Encoding.PEM
    write(name, key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return key, work / name


def read_signature(field):
    r, s = struct.unpack_from("<72s72s", field)
    check(not any(field[144:]), "zeros are behind a signature")
    return utils.encode_dss_signature(int.from_bytes(r, "little"), int.from_bytes(s, "little"))


(id_key, id_path), (author, author_path) = private_key("id.pem"), private_key("author.pem")
launch, family, image = os.urandom(48), os.urandom(16), os.urandom(16)
create = ("id-block", "create", "--id-key", id_path, "--measurement", launch.hex(), "--svn", 7, "--json")
for has_author in (True, False):
    more = ("--author-key", author_path, "--family-id", family.hex(), "--image-id", image.hex(), "--policy", "0x1b0000")
    result = run(*create, *(more if has_author else ()))
    check(result.returncode == 0, f"an ID block is made: {result}")
    answer = json.loads(result.stdout)
    block, auth = (base64.b64decode(answer[name], validate=True) for name in ("id_block", "id_auth"))
    wanted = launch + (family + image if has_author else bytes(32))
    wanted += struct.pack("<IIQ", 1, 7, 0x1b0000 if has_author else 0x30000)
    check(block == wanted, "the block is that of an independent implementation")
    check(len(auth) == 4096 and struct.unpack_from("<II", auth) == (1, int(has_author)), "algorithms are as the ABI has them")
    check(not any(auth[8:0x40]) and not any(auth[0x644:0x680]) and not any(auth[0xc84:]), "what is reserved is zero")
    check(auth[0x240:0x644] == key_field(id_key.public_key()), "the ID key is there")
    read_key(auth[0x240:0x644]).verify(read_signature(auth[0x40:0x240]), block, ec.ECDSA(hashes.SHA384()))
    digests = {"id_key_digest": hashlib.sha384(auth[0x240:0x644]).digest()}
    if has_author:
        check(auth[0x880:0xc84] == key_field(author.public_key()), "the author's key is there")
        read_key(auth[0x880:0xc84]).verify(read_signature(auth[0x680:0x880]), auth[0x240:0x644], ec.ECDSA(hashes.SHA384()))
        digests["author_key_digest"] = hashlib.sha384(auth[0x880:0xc84]).digest()
    else:
        check(not any(auth[0x680:]), "nothing of an author is")
    encoded = {name: [base64.urlsafe_b64encode(value).decode()] for name, value in digests.items()}
    check(answer["policy"] == encoded, "a policy gets the digests of the keys as they stand there")
    paths = write("block", block), write("auth", base64.b64encode(auth) + b"\n")
    shown = run("id-block", "show", *paths, "--json")
    check(shown.returncode == 0 and json.loads(shown.stdout)["guest_svn"] == 7, f"it is shown: {shown}")
    check(json.loads(shown.stdout)["id_key_digest"] == encoded["id_key_digest"], "with the same digests")
    check(run("id-block", "show", answer["id_block"], answer["id_auth"]).returncode == 0, "also from the command line")
    for offset in [0x40, 0x88, 0x244, 0x28c] + ([0x680, 0x884] if has_author else []):
        changed = bytearray(auth)
        changed[offset] ^= 1
        refused(f"a bit of byte {offset:#x} turned over", "ID authentication", "id-block", "show", paths[0],
                write("changed", bytes(changed)))
    refused("another block", "the ID key has not signed the block", "id-block", "show",
            write("other", block[:95] + bytes([block[95] ^ 1])), paths[1])
refused("a key on another curve", "not an EC key on P-384", "id-block", "create", "--id-key",
        private_key("p256.pem", ec.SECP256R1())[1], "--measurement", launch.hex(), "--svn", 1)
for length in (0, 95, 97):
    refused(f"a block of {length} bytes", "", "id-block", "show", write("short", bytes(length)))
print(f"{checks} checks of sessions, secrets and ID blocks, no differences")
