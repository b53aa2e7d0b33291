#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands in for systemd-cryptsetup, which needs a device-mapper: its command line is read from /proc by who answers it.

    python3 attach NAME DEVICE SOCKET OPTIONS    connects as systemd-cryptsetup 248 and newer does
    python3 attach NAME DEVICE ask OPTIONS       asks by the password agent protocol

where attach is a copy of this file, so that its command line looks like `systemd-cryptsetup attach NAME …`.

The answer goes to standard output. In the environment: AS=NAME is the volume that the address names, PLAIN=1 binds to no address, USER_ID
is who connects, BECOME=OPTIONS executes itself with other options once connected, SECONDS_TO_WAIT ends an ask (NotAfter).
"""
import os
import socket
import sys
import time

_, name, device, source, options = sys.argv[:5]
ASKS = "/run/systemd/ask-password"


def connect():
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if "PLAIN" not in os.environ:
        client.bind(f"\0{os.urandom(8).hex()}/cryptsetup/{os.environ.get('AS', name)}")
    if "USER_ID" in os.environ:
        os.setresuid(*[int(os.environ["USER_ID"])] * 3)
    client.connect(source)
    return client


def become(client, others):
    """Goes on as another program would after an execve, with the connection it has."""
    environment = {key: value for key, value in os.environ.items() if key != "BECOME"}
    environment["CONNECTION"] = str(client.fileno())
    os.set_inheritable(client.fileno(), True)
    words = [sys.executable, *sys.argv[:4], others]
    os.execve(sys.executable, words, environment)


def key_file():
    if "CONNECTION" in os.environ:
        client = socket.socket(fileno=int(os.environ["CONNECTION"]))
    else:
        client = connect()
        if "BECOME" in os.environ:
            become(client, os.environ["BECOME"])
    answer = b""
    while more := client.recv(4096):
        answer += more
    return answer


def ask():
    os.makedirs(ASKS, exist_ok=True)
    seconds = float(os.environ.get("SECONDS_TO_WAIT", "30"))
    answers = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    answers.bind(f"{ASKS}/sck.{os.getpid():x}")
    answers.settimeout(seconds)
    draft, path = f"{ASKS}/tmp.{os.getpid():x}", f"{ASKS}/ask.{os.getpid():x}"
    end = int((time.clock_gettime(time.CLOCK_MONOTONIC) + seconds) * 1e6)
    with open(draft, "w") as file:
        file.write(f"[Ask]\nPID={os.getpid()}\nSocket={ASKS}/sck.{os.getpid():x}\nAcceptCached=1\nEcho=0\nNotAfter={end}\n"
                   f"Silent=0\nMessage=Please enter passphrase for disk {name}:\nId=cryptsetup:{device}\n")
    os.rename(draft, path)
    try:
        answer = answers.recv(4096)
    except TimeoutError:
        answer = b""
    finally:
        os.unlink(path)
    if answer and not (answer[:1] == b"+" and answer[-1:] == b"\0"):
        sys.exit("not an answer of the protocol")
    return answer[1:-1]


answer = ask() if source == "ask" else key_file()
sys.stdout.buffer.write(answer)
