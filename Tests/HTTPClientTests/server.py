# SPDX-License-Identifier: Apache-2.0
# A server for the HTTP client's tests:
#   server.py [--identity CERTIFICATE KEY] [--version 1.0|1.1|1.2|1.3] [--ciphers LIST] [--renegotiate] [--silent]
# Prints its port; ends when standard input does. With an identity it speaks TLS; with --renegotiate it is openssl's.
import argparse, collections, http.server, itertools, json, os, socket, ssl, subprocess, sys, threading, time

parser = argparse.ArgumentParser()
parser.add_argument("--identity", nargs=2)
parser.add_argument("--version")
parser.add_argument("--ciphers")
parser.add_argument("--renegotiate", action="store_true")
parser.add_argument("--silent", action="store_true")
options = parser.parse_args()
connections = itertools.count(1)
requests = collections.Counter()

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        self.number = next(connections)
        super().setup()

    def do_GET(self):
        self.answer_to("")

    def do_POST(self):
        if self.path == "/early":
            self.answer(413, b"too much")
            self.close_connection = True
            return
        self.answer_to(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def do_PUT(self): self.do_POST()
    def do_DELETE(self): self.do_POST()

    def answer_to(self, body):
        path, _, query = self.path.partition("?")
        requests[query] += 1
        handler = getattr(self, path[1:].replace("-", "_"), None)
        if handler:
            return handler()
        self.answer(200, json.dumps({
            "body": body, "path": self.path, "type": self.headers["Content-Type"], "accept": self.headers["Accept"],
            "cookie": self.headers["Cookie"], "host": self.headers["Host"], "method": self.command, "authorization": self.headers["Authorization"], "port": self.client_address[1],
            "connections": self.number, "count": requests[query] - 1,
        }).encode(), {"Set-Cookie": "kbs-session-id=abc; Expires=Thu, 01 Jan 1970 00:00:00 GMT"})

    def tls(self):
        self.answer(200, json.dumps({
            "version": self.connection.version(), "protocol": self.connection.selected_alpn_protocol(),
            "name": getattr(self.connection, "name_asked_for", None),
        }).encode())

    def redirect(self): self.answer(302, b"", {"Location": "/echo"})
    def denied(self): self.answer(403, b"no")
    def large(self): self.answer(200, b"x" * ((1 << 20) + 1))
    def largest(self): self.answer(200, b"x" * (1 << 20))
    def hang(self): time.sleep(30)

    def leave(self):
        self.answer(200, b"")
        self.close_connection = True

    def swallow(self): self.close_connection = True
    def part(self): self.say(b"HTTP/1.1 200 OK\r\nContent-Le", last=True)

    def stall_head(self):
        self.say(b"HTTP/1.1 200 OK\r\nContent-Le")
        time.sleep(30)

    def stall_body(self):
        self.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        time.sleep(30)

    def trickle(self):
        for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nslowly\r\n0\r\n\r\n":
            self.say(bytes([byte]))

    def whole(self):
        self.say(b"HTTP/1.1 200 OK\r\n\r\nall of it", last=True)
        self.connection.unwrap()

    # Without TLS' own end.
    def cut(self): self.say(b"HTTP/1.1 200 OK\r\n\r\nall of it", last=True)

    # Always a little more, so that waiting for each byte alone would never end.
    def drip_fields(self): self.repeat(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n", pause=0.05)
    def drip_chunks(self): self.repeat(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", pause=0.05)

    def endless(self):
        self.repeat(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n")

    def endless_body(self): self.repeat(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 4096)
    def endless_head(self): self.repeat(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 100)

    def endless_sizes(self):
        self.repeat(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"e" * 1000 + b"\r\nx\r\n")

    def endless_trailer(self):
        self.repeat(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n" * 100)

    def repeat(self, head, piece, pause=0):
        self.say(head)
        while True:
            self.say(piece)
            time.sleep(pause)

    def say(self, data, last=False):
        self.wfile.write(data)
        self.wfile.flush()
        self.close_connection |= last

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

    def handle_error(self, *arguments):
        pass

def tls_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*options.identity)
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.sni_callback = lambda connection, name, _: setattr(connection, "name_asked_for", name)
    if options.version:
        # What is too old for us is too old for this system's defaults, too.
        context.set_ciphers(options.ciphers or "DEFAULT:@SECLEVEL=0")
        version = getattr(ssl.TLSVersion, "TLSv" + options.version.replace(".", "_").removesuffix("_0"))
        context.minimum_version = context.maximum_version = version
    return context

# openssl's server as a filter: on a connection it asks for a new handshake before it says anything.
def renegotiate():
    certificate, key = options.identity
    server = subprocess.Popen(
        ["openssl", "s_server", "-tls1_2", "-cert", certificate, "-key", key, "-accept", "127.0.0.1:0"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    for line in server.stdout:
        if line.startswith(b"ACCEPT"):
            print(line.split(b":")[-1].decode().strip(), flush=True)
        if line.startswith(b"POST"):
            server.stdin.write(b"r\n")
            server.stdin.flush()
            break
    server.stdout.read()

def end_with_standard_input():
    sys.stdin.read()
    os._exit(0)

threading.Thread(target=end_with_standard_input, daemon=True).start()
if options.renegotiate:
    renegotiate()
    os._exit(0)
if options.silent:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    time.sleep(3600)
server = Server(("127.0.0.1", 0), Handler)
if options.identity:
    server.socket = tls_context().wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print(server.server_address[1], flush=True)
server.serve_forever()
