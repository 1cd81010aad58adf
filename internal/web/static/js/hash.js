// The worker that finds a nonce: SHA-256 (FIPS 180-4) over the SHA-256 of the
// ticket and the nonce as eight bytes begins with so many zero bits.
const primes = [];
for (let n = 2; primes.length < 64; n += 1) if (primes.every((p) => n % p)) primes.push(n);
const part = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
const K = Int32Array.from(primes, (p) => part(Math.cbrt(p)));
const H = Int32Array.from(primes.slice(0, 8), (p) => part(Math.sqrt(p)));
const W = new Int32Array(64);
const turn = (x, n) => (x >>> n) | (x << (32 - n));

// block takes the sixteen words at the start of W into the state.
function block(state) {
  for (let i = 16; i < 64; i += 1) {
    const a = W[i - 15];
    const b = W[i - 2];
    W[i] = (W[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + W[i - 7] + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10))) | 0;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < 64; i += 1) {
    const t1 = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + W[i]) | 0;
    const t2 = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g; g = f; f = e; e = (d + t1) | 0; d = c; c = b; b = a; a = (t1 + t2) | 0;
  }
  state[0] += a; state[1] += b; state[2] += c; state[3] += d;
  state[4] += e; state[5] += f; state[6] += g; state[7] += h;
}

// digest of a short ASCII text.
function digest(text) {
  const state = H.slice();
  const size = (((text.length + 8) >> 6) + 1) << 6;
  const bytes = new DataView(new ArrayBuffer(size));
  for (let i = 0; i < text.length; i += 1) bytes.setUint8(i, text.charCodeAt(i));
  bytes.setUint8(text.length, 0x80);
  bytes.setUint32(size - 4, text.length * 8);
  for (let at = 0; at < size; at += 64) {
    for (let i = 0; i < 16; i += 1) W[i] = bytes.getInt32(at + 4 * i);
    block(state);
  }
  return state;
}

addEventListener('message', ({ data: { ticket, bits } }) => {
  const inner = digest(ticket);
  const state = new Int32Array(8);
  for (let n = 0; n < 2 ** 32; n += 1) {
    W.set(inner);
    W.fill(0, 8, 16);
    W[9] = n;
    W[10] = 0x80000000 | 0;
    W[15] = 320;
    state.set(H);
    block(state);
    if (Math.clz32(state[0]) >= bits) {
      postMessage(String(n));
      return;
    }
  }
});
