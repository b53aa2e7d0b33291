#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Serves a disk that turns into another one: turning-disk.py SOCKET GENUINE HOSTILE READS.

An NBD server (fixed newstyle, read only) for one client at a time. The first READS reads that touch the first sector, where a
LUKS header begins, come from GENUINE, and so does all else until then; from then on everything comes from HOSTILE. Each such
read is a line on standard output: its number and which disk answered.
"""
import os
import socket
import struct
import sys

OPTION, REPLY, REQUEST, ANSWER = 0x49484156454F5054, 0x0003E889045565A9, 0x25609513, 0x67446698
EXPORT_NAME, ABORT, GO = 1, 2, 7
ACKNOWLEDGED, INFORMATION, UNSUPPORTED = 1, 3, (1 << 31) + 1
READ, DISCONNECT = 0, 2
HAS_FLAGS, READ_ONLY = 1, 2


def receive(client, length):
    data = b""
    while len(data) < length:
        piece = client.recv(length - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def negotiate(client, size):
    """True when the client wants to read."""
    client.sendall(b"NBDMAGIC" + struct.pack(">QH", OPTION, 3))
    receive(client, 4)
    export = struct.pack(">QH", size, HAS_FLAGS | READ_ONLY)
    while True:
        _, option, length = struct.unpack(">QII", receive(client, 16))
        receive(client, length)

        def reply(kind, data=b""):
            client.sendall(struct.pack(">QIII", REPLY, option, kind, len(data)) + data)

        if option == EXPORT_NAME:
            client.sendall(export)
            return True
        if option == GO:
            reply(INFORMATION, struct.pack(">H", 0) + export)
            reply(ACKNOWLEDGED)
            return True
        reply(ACKNOWLEDGED if option == ABORT else UNSUPPORTED)
        if option == ABORT:
            return False


def serve(client, genuine, hostile, reads):
    """Answers until the client goes."""
    count = 0
    while True:
        _, _, kind, handle, offset, length = struct.unpack(">IHHQQI", receive(client, 28))
        if kind == DISCONNECT:
            return
        disk = genuine if count < reads else hostile
        if kind == READ and offset < 512:
            count += 1
            disk = genuine if count <= reads else hostile
            print(count, "genuine" if disk == genuine else "hostile", flush=True)
        data = os.pread(disk, length, offset).ljust(length, b"\0") if kind == READ else b""
        client.sendall(struct.pack(">IIQ", ANSWER, 0, handle) + data)


def main():
    path, *disks, reads = sys.argv[1:]
    genuine, hostile = (os.open(disk, os.O_RDONLY) for disk in disks)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(4)
        while True:
            client, _ = server.accept()
            try:
                if negotiate(client, os.fstat(genuine).st_size):
                    serve(client, genuine, hostile, int(reads))
            except (EOFError, ConnectionError):
                pass


main()
