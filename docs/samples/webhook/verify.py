#!/usr/bin/env python3
"""Check one webhook of Tangkal and print its id and type.

Reads the request from standard input: header lines, an empty line, the body
byte for byte. Keys come from the environment, several parted by spaces during
a rotation: WEBHOOK_PUBLIC_KEYS (whpk_...) for v1a, WEBHOOK_SECRETS (whsec_...)
for v1. With both set, both signatures must be good. Exits with 1 if the
message is not.

The standard library has HMAC but no Ed25519, so v1a is checked with the
package "cryptography" where it is installed, else with the command "openssl"
(3.0 or newer).
"""
import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import tempfile
import time

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    Ed25519PublicKey = None

TOLERANCE = 5 * 60
# DER of SubjectPublicKeyInfo before the 32 bytes of an Ed25519 key, RFC 8410.
SPKI = bytes.fromhex("302a300506032b6570032100")


class Refused(Exception):
    pass


def read(message):
    """Part a message into headers, with names in lower case, and body."""
    headers = {}
    while True:
        line, found, message = message.partition(b"\n")
        name, colon, value = line.strip().decode("latin-1").partition(":")
        if not colon or not found:
            return headers, message
        headers[name.strip().lower()] = value.strip()


def keys(variable, prefix):
    out = []
    for text in os.environ.get(variable, "").split():
        if not text.startswith(prefix):
            raise Refused(f"{variable}: a key does not begin with {prefix}")
        out.append(base64.b64decode(text[len(prefix):], validate=True))
    return out


def ed25519_good(key, content, signature):
    if len(key) != 32 or len(signature) != 64:
        return False
    if Ed25519PublicKey is not None:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, content)
            return True
        except InvalidSignature:
            return False
    with tempfile.TemporaryDirectory() as d:
        paths = {n: os.path.join(d, n) for n in ("key", "content", "signature")}
        for name, data in (("key", SPKI + key), ("content", content), ("signature", signature)):
            with open(paths[name], "wb") as f:
                f.write(data)
        done = subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER",
             "-inkey", paths["key"], "-in", paths["content"], "-sigfile", paths["signature"]],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0


def hmac_good(secret, content, signature):
    return hmac.compare_digest(hmac.new(secret, content, hashlib.sha256).digest(), signature)


def verify(headers, body, now, publics, secrets):
    """Check signatures over id.timestamp.body and a time within 5 minutes."""
    if not publics and not secrets:
        raise Refused("set WEBHOOK_PUBLIC_KEYS or WEBHOOK_SECRETS")
    message_id = headers.get("webhook-id", "")
    stamp = headers.get("webhook-timestamp", "")
    if not message_id or not (stamp.isascii() and stamp.isdigit()):
        raise Refused("webhook-id or webhook-timestamp is missing")
    if abs(now - int(stamp)) > TOLERANCE:
        raise Refused("webhook-timestamp is more than 5 minutes away")
    content = f"{message_id}.{stamp}.".encode() + body
    signatures = {"v1a": [], "v1": []}
    for part in headers.get("webhook-signature", "").split():
        version, _, value = part.partition(",")
        if version in signatures:
            signatures[version].append(base64.b64decode(value))
    for version, known, good in (("v1a", publics, ed25519_good), ("v1", secrets, hmac_good)):
        if known and not any(good(k, content, s) for k in known for s in signatures[version]):
            raise Refused(f"no {version} signature fits")


def main():
    headers, body = read(sys.stdin.buffer.read(1 << 20))
    try:
        verify(headers, body, time.time(), keys("WEBHOOK_PUBLIC_KEYS", "whpk_"), keys("WEBHOOK_SECRETS", "whsec_"))
        event = json.loads(body)
        if event["id"] != headers["webhook-id"]:
            raise Refused("id in the body is not webhook-id")
    except (Refused, ValueError, KeyError, TypeError) as why:
        print("refused:", why, file=sys.stderr)
        return 1
    print(event["id"], event["type"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
