#!/usr/bin/env node
// Check one webhook of Tangkal and print its id and type, with node:crypto only.
//
// Reads the request from standard input: header lines, an empty line, the body
// byte for byte. Keys come from the environment, several parted by spaces during
// a rotation: WEBHOOK_PUBLIC_KEYS (whpk_...) for v1a, WEBHOOK_SECRETS (whsec_...)
// for v1. With both set, both signatures must be good. Exits with 1 if the
// message is not.
import { createHmac, createPublicKey, timingSafeEqual, verify as ed25519Verify } from "node:crypto";
import { readFileSync } from "node:fs";

const TOLERANCE = 5 * 60;
// DER of SubjectPublicKeyInfo before the 32 bytes of an Ed25519 key, RFC 8410.
const SPKI = Buffer.from("302a300506032b6570032100", "hex");

/** Part a message into headers, with names in lower case, and body. */
function read(message) {
  const headers = {};
  for (;;) {
    const end = message.indexOf(10);
    const line = (end < 0 ? message : message.subarray(0, end)).toString("latin1").trim();
    message = end < 0 ? Buffer.alloc(0) : message.subarray(end + 1);
    const colon = line.indexOf(":");
    if (colon < 0 || end < 0) return { headers, body: message };
    headers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
  }
}

function keys(variable, prefix) {
  return (process.env[variable] ?? "").split(/\s+/).filter(Boolean).map((text) => {
    if (!text.startsWith(prefix)) throw new Error(`${variable}: a key does not begin with ${prefix}`);
    return Buffer.from(text.slice(prefix.length), "base64");
  });
}

function ed25519Good(key, content, signature) {
  if (key.length !== 32 || signature.length !== 64) return false;
  const publicKey = createPublicKey({ key: Buffer.concat([SPKI, key]), format: "der", type: "spki" });
  return ed25519Verify(null, content, publicKey, signature);
}

function hmacGood(secret, content, signature) {
  const want = createHmac("sha256", secret).update(content).digest();
  return signature.length === want.length && timingSafeEqual(want, signature);
}

/** Check signatures over id.timestamp.body and a time within 5 minutes. */
function verify(headers, body, now, publics, secrets) {
  if (publics.length === 0 && secrets.length === 0) throw new Error("set WEBHOOK_PUBLIC_KEYS or WEBHOOK_SECRETS");
  const id = headers["webhook-id"] ?? "";
  const stamp = headers["webhook-timestamp"] ?? "";
  if (!id || !/^[0-9]+$/.test(stamp)) throw new Error("webhook-id or webhook-timestamp is missing");
  if (Math.abs(now - Number(stamp)) > TOLERANCE) throw new Error("webhook-timestamp is more than 5 minutes away");
  const content = Buffer.concat([Buffer.from(`${id}.${stamp}.`), body]);
  const signatures = { v1a: [], v1: [] };
  for (const part of (headers["webhook-signature"] ?? "").split(" ")) {
    const comma = part.indexOf(",");
    const version = part.slice(0, comma);
    if (Object.hasOwn(signatures, version)) signatures[version].push(Buffer.from(part.slice(comma + 1), "base64"));
  }
  for (const [version, known, good] of [["v1a", publics, ed25519Good], ["v1", secrets, hmacGood]]) {
    if (known.length > 0 && !known.some((k) => signatures[version].some((s) => good(k, content, s)))) {
      throw new Error(`no ${version} signature fits`);
    }
  }
}

try {
  const { headers, body } = read(readFileSync(0));
  verify(headers, body, Date.now() / 1000, keys("WEBHOOK_PUBLIC_KEYS", "whpk_"), keys("WEBHOOK_SECRETS", "whsec_"));
  const event = JSON.parse(body.toString("utf8"));
  if (event.id !== headers["webhook-id"]) throw new Error("id in the body is not webhook-id");
  console.log(event.id, event.type);
} catch (why) {
  console.error("refused:", why.message);
  process.exit(1);
}
