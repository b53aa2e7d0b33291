#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""listen.py PATH COMMAND…: runs the command with a listening socket at PATH, as systemd's socket units do."""
import os
import socket
import sys

path, *command = sys.argv[1:]
if os.path.exists(path):
    os.unlink(path)
server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind(path)
os.chmod(path, 0o600)
server.listen()
number = server.detach()
if number != 3:
    os.dup2(number, 3)
    os.close(number)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execvp(command[0], command)
