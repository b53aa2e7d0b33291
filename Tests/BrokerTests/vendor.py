# SPDX-License-Identifier: Apache-2.0
"""AMD's key service and a cache of Intel's as far as a broker sees them: gives the files below a directory, with the headers that
stand in FILE.headers, and counts what it is asked for.

vendor.py DIRECTORY: prints its port. Every request's path is a line in DIRECTORY/asked. While DIRECTORY/busy exists it answers
429 and wants to be left alone for a second; while DIRECTORY/lying exists it answers 200 with rubbish.
"""
import http.server
import os
import sys
import threading

directory = sys.argv[1]
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with lock, open(directory + "/asked", "a") as asked:
            asked.write(self.path + "\n")
        path = directory + self.path.split("?")[0]
        if os.path.exists(directory + "/busy"):
            self.answer(429, b"", {"Retry-After": "1"})
        elif os.path.exists(directory + "/lying"):
            self.answer(200, b"<html>please log in</html>")
        elif ".." not in path and os.path.isfile(path):
            headers = {}
            if os.path.isfile(path + ".headers"):
                with open(path + ".headers") as lines:
                    headers = dict(line.strip().split(": ", 1) for line in lines)
            with open(path, "rb") as file:
                self.answer(200, file.read(), headers)
        else:
            self.answer(404, b"")

    def answer(self, status, body, headers={}):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
# Until whoever started it is gone.
sys.stdin.read()
