#!/usr/bin/env python3
"""Receives events over HTTP, believes only what is signed, and prints each once. Only the standard library.

    receive_webhook.py PORT SECRET-FILE
"""
import hashlib, hmac, http.server, sys, time

secret = open(sys.argv[2], "rb").read().rstrip(b"\r\n")
seen = set()  # in a program of yours: kept for as long as an event may come again

class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        parts = dict(part.split("=", 1) for part in self.headers.get("sanfleet-signature", "t=0,v1=").split(","))
        expected = hmac.new(secret, parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
        signed = hmac.compare_digest(expected, parts["v1"]) and abs(time.time() - int(parts["t"])) < 300
        self.send_response(204 if signed else 401)
        self.end_headers()
        if signed and self.headers["ce-id"] not in seen:
            seen.add(self.headers["ce-id"])
            print(self.headers["ce-subject"], self.headers["ce-sequence"], self.headers["ce-type"], body.decode(), flush=True)

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
