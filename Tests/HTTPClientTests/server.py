# SPDX-License-Identifier: Apache-2.0
# A server for the HTTP client's tests: server.py [CERTIFICATE KEY]. Prints its port; ends when standard input does.
import http.server, json, os, ssl, sys, threading, time

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/hang":
            time.sleep(30)
        elif self.path == "/redirect":
            self.answer(302, b"", {"Location": "/echo"})
        elif self.path == "/large":
            self.answer(200, b"x" * ((1 << 20) + 1))
        elif self.path == "/largest":
            self.answer(200, b"x" * (1 << 20))
        elif self.path == "/leave":
            self.answer(200, b"")
            self.close_connection = True
        elif self.path == "/endless":
            self.endless()
        elif self.path == "/denied":
            self.answer(403, b"no")
        else:
            self.answer(200, json.dumps({
                "body": body.decode(), "type": self.headers["Content-Type"], "cookie": self.headers["Cookie"],
                "port": self.client_address[1],
            }).encode(), {"Set-Cookie": "kbs-session-id=abc"})

    def answer(self, status, body, headers={}):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def endless(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while True:
            self.wfile.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")

    def log_message(self, *arguments):
        pass

class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *arguments):
        pass

def end_with_standard_input():
    sys.stdin.read()
    os._exit(0)

server = Server(("127.0.0.1", 0), Handler)
if len(sys.argv) == 3:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
threading.Thread(target=end_with_standard_input, daemon=True).start()
print(server.server_address[1], flush=True)
server.serve_forever()
