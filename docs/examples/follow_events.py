#!/usr/bin/env python3
"""Prints every event of a type, and goes on where it was when it is started again. Only the standard library.

    follow_events.py HOST:PORT NAME [SUBJECT]     # NAME is under which the bus remembers how far this program has come
"""
import json, socket, sys

address, name = sys.argv[1].split(":"), sys.argv[2]
subject = sys.argv[3] if len(sys.argv) > 3 else "sanfleet.v1.event.>"
bus = socket.create_connection((address[0], int(address[1])))
lines = bus.makefile("rb")

def say(subject, body, reply="_INBOX.events"):
    bus.sendall(f"PUB {subject} {reply} {len(body)}\r\n{body}\r\n".encode())

def hear():
    while words := lines.readline().split():
        if words[0] == b"PING":
            bus.sendall(b"PONG\r\n")
        elif words[0] in (b"MSG", b"HMSG"):
            data = lines.read(int(words[-1]) + 2)
            head = int(words[-2]) if words[0] == b"HMSG" else 0
            headers = dict(line.split(": ", 1) for line in data[:head].decode().splitlines() if ": " in line)
            return words[3].decode(), headers, data[head:-2]
    sys.exit("the bus went away")

bus.sendall(b'CONNECT {"verbose":false,"headers":true}\r\nSUB _INBOX.events 1\r\n')
config = {"durable_name": name, "ack_policy": "explicit", "deliver_policy": "all", "filter_subject": subject}
say(f"$JS.API.CONSUMER.DURABLE.CREATE.SANFLEET_EVENTS.{name}", json.dumps({"stream_name": "SANFLEET_EVENTS", "config": config}))
made = json.loads(hear()[2])
if "error" in made:
    sys.exit(made["error"]["description"])
while True:
    say(f"$JS.API.CONSUMER.MSG.NEXT.SANFLEET_EVENTS.{name}", json.dumps({"batch": 1, "expires": 30_000_000_000}))
    acknowledge, headers, body = hear()
    if "ce-id" in headers:  # no event: nothing happened for 30 s
        print(headers["ce-subject"], headers["ce-sequence"], headers["ce-type"], json.loads(body), flush=True)
        say(acknowledge, "", "")
