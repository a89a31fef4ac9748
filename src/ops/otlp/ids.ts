import { randomFillSync } from 'node:crypto';

/** Random bytes are made for so many IDs at once: one by one they would cost more than the spans they name. */
const POOL_BYTES = 8192;

/** Makes IDs of so many random bytes, in hexadecimal digits. */
export function createIds(): (bytes: 8 | 16) => string {
  const pool = Buffer.alloc(POOL_BYTES);
  let used = POOL_BYTES;
  return (bytes) => {
    if (used + bytes > POOL_BYTES) {
      randomFillSync(pool);
      used = 0;
    }
    const id = pool.toString('hex', used, used + bytes);
    used += bytes;
    return id;
  };
}
