#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Lets a linker leave out what nobody calls: collectable.py OBJECT.

Every function of Swift's standard library is in a section of its own that is marked "retain" (SHF_GNU_RETAIN), for the sake of
programs that load others. Ours load none. This takes the mark from the functions of an ELF object (64 bits, little endian), in
place; sections that are found by their names, such as those of conformances, keep it.
"""
import struct
import sys

RETAIN = 0x200000
HEADER = struct.Struct("<IIQQQQIIQQ")  # Elf64_Shdr: name, type, flags, address, offset, size, …

with open(sys.argv[1], "r+b") as file:
    data = bytearray(file.read())
    table, = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3A)
    assert data[:5] == b"\x7fELF\x02" and size == HEADER.size, "not an object of 64 bits"

    def section(number):
        return HEADER.unpack_from(data, table + number * size)

    # With more sections than 16 bits can count, the first one says how many there are (ELF, "Extended section header").
    count = count or section(0)[5]
    names = section(0)[6] if names == 0xFFFF else names
    for number in range(count):
        name, kind, flags, *rest = section(number)
        if flags & RETAIN and data.startswith(b".text.", section(names)[4] + name):
            HEADER.pack_into(data, table + number * size, name, kind, flags & ~RETAIN, *rest)
    file.seek(0)
    file.write(data)
