import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { diskState } from '../kit/disk-state.ts';
import { TrustDomainProcesses } from '../kit/trust-domain.ts';

/** A trust domain that has run, so that all files are there, and runs no more. */
describe('files that were damaged while nobody ran', () => {
  let domain: TrustDomainProcesses;
  before(async () => {
    domain = await TrustDomainProcesses.create();
    await domain.startServer();
    await domain.startAgent('-joinToken', await domain.prepareAgent());
    await domain.agent.stop();
    await domain.server.stop();
  });
  after(() => domain[Symbol.asyncDispose]());

  const cutOff = (text: string) => text.slice(0, text.length / 2);
  const damages: readonly [why: string, damage: (text: string) => string][] = [
    ['empty', () => ''],
    ['cut off', cutOff],
    ['not JSON', () => 'keys: {}'],
    ['of another shape', () => '{"keys": [1, 2], "svid": 7}'],
    ['with base64 that is none', (text) => text.replace(/": ?"[A-Za-z0-9+/]{8}/, '": "%%%%%%%%')],
  ];
  const files = [
    ['the server’s keys', 'server', 'keys.json', 'Server crashed'],
    ['the agent’s keys', 'agent', 'keys.json', 'Agent crashed'],
    ['the agent’s data', 'agent', 'agent-data.json', 'Agent crashed'],
  ] as const;

  for (const [what, folder, name, crash] of files) {
    for (const [why, damage] of damages) {
      if (name === 'agent-data.json' && why.startsWith('with base64')) continue;
      test(`${what}: ${why}`, async () => {
        const path = join(domain.path(folder), name);
        const good = await readFile(path, 'utf8');
        const bad = damage(good);
        assert.notEqual(bad, good);
        await writeFile(path, bad);
        try {
          const left = await diskState(domain.folder);
          const program = folder === 'server' ? domain.runServerProcess() : domain.firstAgent.run();
          assert.deepEqual(await program.exited, { code: 1, signal: null });
          const [, error = ''] = await program.says(new RegExp(`msg="${crash}" error="(.*)"`));
          assert.ok(error.includes(path), `does not name the file: ${error}`);
          assert.deepEqual(await diskState(domain.folder), left);
        } finally {
          await writeFile(path, good);
        }
      });
    }
  }

  test('repaired, all is as it was', async () => {
    await domain.startServer();
    await domain.startAgent();
    await domain.agent.says(/msg="SVID loaded"/);
  });
});
