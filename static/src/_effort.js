// Looks for the number that src/web/screen/effort.rs asks for: a hash that begins with so many zero bits.
const BATCH = 64;

const encoder = new TextEncoder();

async function zeros(text) {
  const hash = new DataView(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
  return Math.clz32(hash.getUint32(0));
}

export async function solve(token, bits) {
  for (let number = 0; ; number += BATCH) {
    const batch = Array.from({ length: BATCH }, (_, at) => number + at);
    const found = await Promise.all(batch.map((candidate) => zeros(`${token}:${candidate}`)));
    const at = found.findIndex((count) => count >= bits);
    if (at >= 0) return String(batch[at]);
  }
}
