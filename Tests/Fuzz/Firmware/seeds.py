#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the ends of Debian's OVMF images, where their table and metadata stand, into a directory: as they are, with a page for
a kernel's hashes, and with TDX sections whose contents are there."""
import pathlib
import struct
import sys
import uuid

IMAGES = ["/usr/share/ovmf/OVMF.fd", "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_CODE_4M.fd"]
LENGTH = 4096
HASH_TABLE = "7255371f-3a3b-4b04-927b-1da6efa8d454"
SEV, TDX = "dc886566-984a-4798-a75e-5585a7bf67cc", "e47a6535-984a-4798-865e-4685a7bf8ec2"


def entries(image):
    """Where the data of each entry of the table is, by its GUID."""
    end = len(image) - 32
    start = end - struct.unpack_from("<H", image, end - 18)[0]
    end -= 18
    found = {}
    while end - start >= 18:
        length = struct.unpack_from("<H", image, end - 18)[0]
        found[str(uuid.UUID(bytes_le=bytes(image[end - 16 : end])))] = end - length
        end -= length
    return found


def with_hashes(image, places):
    struct.pack_into("<II", image, places[HASH_TABLE], 0x810C00, 0x400)
    start = len(image) - struct.unpack_from("<I", image, places[SEV])[0]
    for index, section in enumerate([(0x800000, 0x1000, 1), (0x810000, 0x1000, 0x10), (0x80D000, 0x1000, 2), (0x80E000, 0x1000, 3)]):
        struct.pack_into("<III", image, start + 16 + 12 * index, *section)
    struct.pack_into("<I", image, start + 12, 4)


def with_contents(image, places):
    start = len(image) - struct.unpack_from("<I", image, places[TDX])[0]
    for index in range(struct.unpack_from("<I", image, start + 12)[0]):
        at = start + 16 + 32 * index
        stored = struct.unpack_from("<I", image, at + 4)[0] and 3000
        struct.pack_into("<II", image, at, 100 if stored else 0, stored)
        struct.pack_into("<Q", image, at + 16, 4096)


out = pathlib.Path(sys.argv[1])
for number, path in enumerate(IMAGES):
    image = pathlib.Path(path).read_bytes()[-LENGTH:]
    (out / f"ovmf-{number}").write_bytes(image)
    places = entries(image)
    for name, change, guid in (("hashes", with_hashes, SEV), ("contents", with_contents, TDX)):
        if guid in places:
            changed = bytearray(image)
            change(changed, places)
            (out / f"ovmf-{number}-{name}").write_bytes(changed)
