#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""trustee.py DIRECTORY --version VERSION [--deny] [--stale-cookies] [--tls CERTIFICATE KEY]

A server of the KBS protocol that behaves as Trustee does, to try our client with something that shares no code with it: exactly one
version of the protocol, 401 for nearly everything, a cookie that expires, resources (files at DIRECTORY/REPOSITORY/TYPE/TAG) encrypted to
the key that the evidence was made for. It checks that evidence is complete, signed by the certificate that came with it, and made for this
session; not who issued the certificate. Cryptography is written here, slowly, or openssl's program.
Prints its address; each request is a line of standard error. Ends when standard input does.
"""
import argparse, base64, hashlib, http.server, json, os, secrets, ssl, subprocess, sys, tempfile, threading, time

ERRORS = "https://github.com/confidential-containers/kbs/errors/"


def b64url(data): return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
def unb64url(text): return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


# --- AES-256 (FIPS 197), GCM (SP 800-38D) and key wrap (RFC 3394)

def xtime(a): return (a << 1 ^ 0x11B if a & 0x80 else a << 1)

def make_sbox():
    box, p, q = [0x63] * 256, 1, 1
    while True:
        p ^= xtime(p)
        for shift in (1, 2, 4): q ^= q << shift
        q &= 0xFF
        if q & 0x80: q ^= 0x09
        x = q
        for shift in range(1, 5): x ^= (q << shift | q >> 8 - shift) & 0xFF
        box[p] = x ^ 0x63
        if p == 1: return box

SBOX = make_sbox()


class AES:
    def __init__(self, key):
        words, rcon = [list(key[i:i + 4]) for i in range(0, 32, 4)], 1
        for i in range(8, 60):
            word = list(words[-1])
            if i % 8 == 0:
                word = [SBOX[b] for b in word[1:] + word[:1]]
                word[0] ^= rcon
                rcon = xtime(rcon)
            elif i % 8 == 4:
                word = [SBOX[b] for b in word]
            words.append([a ^ b for a, b in zip(words[i - 8], word)])
        self.keys = [sum(words[i:i + 4], []) for i in range(0, 60, 4)]

    def encrypt(self, block):
        state = [a ^ b for a, b in zip(block, self.keys[0])]
        for round in range(1, 15):
            state = [SBOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
            if round < 14:
                mixed = []
                for c in range(0, 16, 4):
                    column = state[c:c + 4]
                    total = column[0] ^ column[1] ^ column[2] ^ column[3]
                    mixed += [column[i] ^ total ^ xtime(column[i] ^ column[(i + 1) % 4]) for i in range(4)]
                state = mixed
            state = [a ^ b for a, b in zip(state, self.keys[round])]
        return bytes(state)


def gcm(key, iv, plaintext, data):
    aes = AES(key)
    h = int.from_bytes(aes.encrypt(bytes(16)), "big")

    def times_h(x):
        z, v = 0, h
        for bit in range(127, -1, -1):
            if x >> bit & 1: z ^= v
            v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
        return z

    def counter(n): return aes.encrypt(iv + n.to_bytes(4, "big"))

    ciphertext = b"".join(
        bytes(a ^ b for a, b in zip(plaintext[i:i + 16], counter(2 + i // 16))) for i in range(0, len(plaintext), 16))
    padded = data + bytes(-len(data) % 16) + ciphertext + bytes(-len(ciphertext) % 16)
    padded += (8 * len(data)).to_bytes(8, "big") + (8 * len(ciphertext)).to_bytes(8, "big")
    y = 0
    for i in range(0, len(padded), 16): y = times_h(y ^ int.from_bytes(padded[i:i + 16], "big"))
    return ciphertext, bytes(a ^ b for a, b in zip(y.to_bytes(16, "big"), counter(1)))


def wrap(kek, key):
    aes, a, r = AES(kek), b"\xA6" * 8, [key[i:i + 8] for i in range(0, len(key), 8)]
    for j in range(6):
        for i in range(len(r)):
            b = aes.encrypt(a + r[i])
            a, r[i] = (int.from_bytes(b[:8], "big") ^ (len(r) * j + i + 1)).to_bytes(8, "big"), b[8:]
    return a + b"".join(r)


# --- P-256

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
     0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5)

def add(p, q):
    if p is None or q is None: return q if p is None else p
    if p[0] == q[0] and (p[1] + q[1]) % P == 0: return None
    slope = (3 * p[0] * p[0] - 3) * pow(2 * p[1], -1, P) if p == q else (q[1] - p[1]) * pow(q[0] - p[0], -1, P)
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P

def multiply(k, point):
    result = None
    for bit in bin(k)[2:]:
        result = add(result, result)
        if bit == "1": result = add(result, point)
    return result


# --- Answers, as kbs/src/jwe does them

def seal(content, key):
    cek, iv = secrets.token_bytes(32), secrets.token_bytes(12)
    if key["alg"] == "RSA1_5":
        n, e = (int.from_bytes(unb64url(key[name]), "big") for name in "ne")
        size = (n.bit_length() + 7) // 8
        padding = bytes(secrets.choice(range(1, 256)) for _ in range(size - 3 - len(cek)))
        wrapped = pow(int.from_bytes(b"\0\2" + padding + b"\0" + cek, "big"), e, n).to_bytes(size, "big")
        ciphertext, tag = gcm(cek, iv, content, b"")
        return {"protected": '{"alg":"RSA1_5","enc":"A256GCM"}', "encrypted_key": b64url(wrapped), "iv": b64url(iv),
                "ciphertext": b64url(ciphertext + tag), "tag": ""}
    x, y = (int.from_bytes(unb64url(key[name]), "big") for name in "xy")
    assert (y * y - x * x * x + 3 * x - B) % P == 0, "not a point of P-256"
    secret = secrets.randbelow(2**255) + 1
    mine = [b64url(c.to_bytes(32, "big")) for c in multiply(secret, G)]
    header = json.dumps({"alg": "ECDH-ES+A256KW", "enc": "A256GCM",
                         "epk": {"crv": "P-256", "kty": "EC", "x": mine[0], "y": mine[1]}}, separators=(",", ":"))
    z = multiply(secret, (x, y))[0].to_bytes(32, "big")
    name = b"ECDH-ES+A256KW"
    kek = hashlib.sha256(b"\0\0\0\1" + z + len(name).to_bytes(4, "big") + name + bytes(8) + (256).to_bytes(4, "big")).digest()
    protected = b64url(header.encode())
    ciphertext, tag = gcm(cek, iv, content, protected.encode())
    return {"protected": protected, "encrypted_key": b64url(wrap(kek, cek)), "iv": b64url(iv),
            "ciphertext": b64url(ciphertext), "tag": b64url(tag)}


# --- Evidence

def put(report, offset, size, value):
    data = bytes(value) if isinstance(value, list) else value.to_bytes(size, "little")
    if len(data) != size: raise ValueError(f"{size} bytes at {offset:#x}")
    report[offset:offset + size] = data

def encode_report(dump, flat):
    """The 1184 bytes; KeyError for a member that is not there, and every member is looked at."""
    dump, report = dict(dump), bytearray(1184)
    fields = [("version", 0, 4), ("guest_svn", 4, 4), ("policy", 8, 8), ("family_id", 16, 16), ("image_id", 32, 16),
              ("vmpl", 48, 4), ("sig_algo", 52, 4), ("plat_info", 64, 8), ("report_data", 80, 64), ("measurement", 144, 48),
              ("host_data", 192, 32), ("id_key_digest", 224, 48), ("author_key_digest", 272, 48), ("report_id", 320, 32),
              ("report_id_ma", 352, 32), ("chip_id", 416, 64), ("_author_key_en" if flat else "key_info", 72, 4)]
    if flat:
        fields += [("_reserved_0", 76, 4), ("_reserved_1", 392, 24), ("current_build", 488, 1), ("current_minor", 489, 1),
                   ("current_major", 490, 1), ("_reserved_2", 491, 1), ("committed_build", 492, 1), ("committed_minor", 493, 1),
                   ("committed_major", 494, 1), ("_reserved_3", 495, 1), ("_reserved_4", 504, 168)]
    else:
        for name, offset in ("cpuid_fam_id", 392), ("cpuid_mod_id", 393), ("cpuid_step", 394):
            put(report, offset, 1, dump.pop(name) or 0)
        for name, offset in ("launch_mit_vector", 504), ("current_mit_vector", 512):
            put(report, offset, 8, dump.pop(name) or 0)
        for name, offset in ("current", 488), ("committed", 492):
            version = dump.pop(name)
            for index, part in enumerate(("build", "minor", "major")): put(report, offset + index, 1, version.pop(part))
            if version: raise ValueError(f"{name}: {version}")
    for name, offset, size in fields: put(report, offset, size, dump.pop(name))
    for name, offset in ("current_tcb", 56), ("reported_tcb", 384), ("committed_tcb", 480), ("launch_tcb", 496):
        tcb = dump.pop(name)
        turin = not flat and report[392] >= 0x1A
        places = ([("fmc", 0), ("bootloader", 1), ("tee", 2), ("snp", 3), ("microcode", 7)] if turin
                  else [("bootloader", 0), ("tee", 1), ("snp", 6), ("microcode", 7)])
        for part, index in places: put(report, offset + index, 1, tcb.pop(part))
        if flat: put(report, offset + 2, 4, tcb.pop("_reserved"))
        elif not turin and tcb.pop("fmc") is not None: raise ValueError("fmc")
        if tcb: raise ValueError(f"{name}: {tcb}")
    signature = dump.pop("signature")
    put(report, 0x2A0, 72, signature["r"]), put(report, 0x2E8, 72, signature["s"])
    if dump: raise ValueError(f"unknown members {list(dump)}")
    return bytes(report)

def der_integer(little):
    data = bytes(reversed(little)).lstrip(b"\0") or b"\0"
    data = b"\0" + data if data[0] & 0x80 else data
    return b"\2" + bytes([len(data)]) + data

def verify_signature(report, chain):
    leaf = next(bytes(item["data"]) for item in chain if item["cert_type"] in ("VCEK", "VLEK"))
    numbers = der_integer(report[0x2A0:0x2D0]) + der_integer(report[0x2E8:0x318])
    with tempfile.TemporaryDirectory() as folder:
        def write(name, data):
            with open(f"{folder}/{name}", "wb") as file: file.write(data)
            return f"{folder}/{name}"
        key = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-pubkey"], input=leaf, capture_output=True, check=True)
        subprocess.run(
            ["openssl", "dgst", "-sha384", "-verify", write("key", key.stdout), "-signature",
             write("signature", b"\x30" + bytes([len(numbers)]) + numbers), write("report", report[:0x2A0])],
            capture_output=True, check=True)

def reported(tee, evidence, flat):
    """The report data of evidence that is complete and signed."""
    if tee == "tdx":
        if set(evidence) - {"quote", "cc_eventlog", "aa_eventlog"}: raise ValueError("unknown member of a quote")
        if evidence.get("cc_eventlog"): base64.b64decode(evidence["cc_eventlog"], validate=True)
        quote = base64.b64decode(evidence["quote"], validate=True)
        return quote[48 + 520:48 + 584]
    report = encode_report(evidence["attestation_report"], flat)
    verify_signature(report, evidence["cert_chain"])
    return report[80:144]


class Refused(Exception):
    def __init__(self, name, detail, status=401):
        self.name, self.detail, self.status = name, detail, status


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    sessions = {}

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.serve(lambda: self.post(self.path.removeprefix("/kbs/v0/"), json.loads(body)))

    def do_GET(self):
        self.serve(lambda: self.resource(self.path.removeprefix("/kbs/v0/resource/")))

    def serve(self, work):
        try:
            status, answer = 200, work()
        except Refused as refused:
            status, answer = refused.status, {"type": ERRORS + refused.name, "detail": refused.detail}
        except Exception as error:
            status, answer = 401, {"type": ERRORS + "AttestationError", "detail": f"{type(error).__name__}: {error}"}
        print(self.command, self.path, status, answer.get("detail", ""), file=sys.stderr, flush=True)
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if status == 200 and self.command == "POST":
            at = time.time() + (-3600 if options.stale_cookies else 300)
            date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(at))
            self.send_header("Set-Cookie", f"kbs-session-id={self.session}; Expires={date}")
        self.end_headers()
        self.wfile.write(data)

    def post(self, step, message):
        if step == "auth":
            if message["version"] != options.version:
                raise Refused("ProtocolVersion", f"expected {options.version}, got {message['version']}")
            if not isinstance(message["extra-params"], (dict, str)): raise ValueError("extra-params")
            self.session = secrets.token_hex(16)
            nonce = base64.b64encode(secrets.token_bytes(32)).decode()
            self.sessions[self.session] = {"tee": message["tee"], "nonce": nonce, "key": None}
            return {"nonce": nonce, "extra-params": ""}
        if step != "attest": raise Refused("InvalidRequestPath", step, 404)
        session = self.known()
        whole = options.version == "0.4.0"
        runtime = message["runtime-data"] if whole else {"nonce": session["nonce"], "tee-pubkey": message["tee-pubkey"]}
        if whole and (message["init-data"] is not None or runtime["nonce"] != session["nonce"]): raise ValueError("runtime-data")
        evidence = message["tee-evidence"]
        if whole and not isinstance(evidence["additional_evidence"], str): raise ValueError("additional_evidence")
        key = {name: runtime["tee-pubkey"][name] for name in ("alg", "crv", "e", "kty", "n", "x", "y") if name in runtime["tee-pubkey"]}
        if (key["alg"] == "RSA1_5") != (options.version == "0.1.1"): raise ValueError(key["alg"])
        covered = {"nonce": session["nonce"], "tee-pubkey": key}
        if whole: covered["additional-evidence"] = evidence["additional_evidence"]
        text = json.dumps(covered, sort_keys=True, separators=(",", ":"))
        expected = hashlib.sha384(text.encode()).digest() + bytes(16)
        if reported(session["tee"], evidence["primary_evidence"] if whole else evidence, not whole) != expected:
            raise Refused("AttestationError", "report data is not this session's")
        session["key"] = key
        parts = [{"alg": "ES384"}, {"exp": int(time.time()) + 300}]
        return {"token": ".".join(b64url(json.dumps(part).encode()) for part in parts) + ".AAAA"}

    def resource(self, path):
        session = self.known()
        if session["key"] is None: raise Refused("TokenNotFound", "not attested")
        if options.deny: raise Refused("PolicyDeny", "Access denied by policy")
        if any(part in ("", ".", "..") for part in path.split("/")): raise Refused("InvalidRequestPath", path, 404)
        try:
            with open(os.path.join(options.directory, path), "rb") as file: content = file.read()
        except OSError:
            raise Refused("PluginInternalError", "no such resource")
        return seal(content, session["key"])

    def known(self):
        pairs = dict(pair.strip().split("=", 1) for pair in self.headers.get("Cookie", "").split(";") if "=" in pair)
        self.session = pairs.get("kbs-session-id", "")
        if self.session not in self.sessions: raise Refused("InvalidCookie", "no such session")
        return self.sessions[self.session]

    def log_message(self, *arguments): pass


def end_with_standard_input():
    sys.stdin.read()
    os._exit(0)


parser = argparse.ArgumentParser()
parser.add_argument("directory")
parser.add_argument("--version", required=True)
parser.add_argument("--deny", action="store_true")
parser.add_argument("--stale-cookies", action="store_true")
parser.add_argument("--tls", nargs=2)
options = parser.parse_args()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
if options.tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*options.tls)
    server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=end_with_standard_input, daemon=True).start()
print(f"http{'s' if options.tls else ''}://127.0.0.1:{server.server_address[1]}", flush=True)
server.serve_forever()
