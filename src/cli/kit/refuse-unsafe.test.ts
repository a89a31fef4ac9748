import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Env } from './env.ts';
import { refuseUnsafe } from './refuse-unsafe.ts';

const envOf = (variables: Record<string, string>, inspected: boolean) =>
  ({ variables, host: { inspected: async () => inspected } }) as unknown as Env;

test('runs where nobody reads its memory and certificates are checked', async () => {
  await refuseUnsafe(envOf({}, false));
  await refuseUnsafe(envOf({ NODE_TLS_REJECT_UNAUTHORIZED: '1' }, false));
});

test('refuses anything else', async () => {
  const unchecked = envOf({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }, false);
  await assert.rejects(refuseUnsafe(unchecked), /NODE_TLS_REJECT_UNAUTHORIZED/);
  await assert.rejects(refuseUnsafe(envOf({}, true)), /debugger/);
});
