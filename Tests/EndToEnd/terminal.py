#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""terminal.py ANSWER... -- COMMAND...: runs COMMAND with a terminal of its own, where a person types one ANSWER at each prompt
(text that ends in ": "). An ANSWER that starts with SIG is that signal instead. Standard input, output and error stay the
caller's. The status is the command's; 128 and the signal's number where one ended it; 99 where a prompt did not hide what is
typed, or what was typed could be seen, or the terminal was left like that."""
import fcntl
import os
import pty
import signal
import sys
import termios
import time

words = sys.argv[1:]
split = words.index("--")
answers, command = words[:split], words[split + 1:]
person, terminal = pty.openpty()


def shows():
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    os.close(person)
    # What runs in the background inherits that these are ignored.
    for ignored in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        signal.signal(ignored, signal.SIG_DFL)
    os.execvp(command[0], command)

signal.alarm(30)
problems = []
seen = b""
for answer in answers:
    prompt = b""
    while not prompt.endswith(b": "):
        prompt += os.read(person, 1024)
    seen += prompt
    patience = time.monotonic() + 2
    while shows() and time.monotonic() < patience:
        time.sleep(0.01)
    if shows():
        problems.append("the terminal shows what is typed")
    if answer.startswith("SIG"):
        os.kill(child, getattr(signal, answer))
    else:
        os.write(person, answer.encode() + b"\n")
_, status = os.waitpid(child, 0)
os.set_blocking(person, False)
try:
    seen += os.read(person, 65536)
except BlockingIOError:
    pass
if not shows():
    problems.append("the terminal was left hiding what is typed")
problems += [f"{answer} was shown" for answer in answers if answer and answer.encode() in seen]
for problem in problems:
    print(f"terminal.py: {problem}", file=sys.stderr)
if problems:
    sys.exit(99)
sys.exit(128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
