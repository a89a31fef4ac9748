import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { apiAs, fetchAs, hasHeardOf } from '../kit/agent-commands.ts';
import { startStandardDomain } from '../kit/standard-domain.ts';
import { notRoot } from '../kit/toolchain.ts';

/** A user and a group that every Linux has names for. */
const NOBODY = 65_534;

/**
 * SPIRE's scenario workloadattestor, with the attestor `unix` in place of an external plugin: an entry that names
 * everything that it finds out of a process matches, and none that names something else.
 */
test('a workload is what the attestor says it is', { skip: notRoot }, async (t) => {
  const { domain, below } = await startStandardDomain(t, {
    workloadAttestor: 'WorkloadAttestor "unix" { plugin_data { discover_workload_path = true } }',
  });
  const executable = join(dirname(await domain.socketFor(NOBODY)), 'node');
  const sha256 = createHash('sha256')
    .update(await readFile(executable))
    .digest('hex');
  const facts = [
    `uid:${NOBODY}`,
    `user:${await nameOf('passwd')}`,
    `gid:${NOBODY}`,
    `group:${await nameOf('group')}`,
    `path:${executable}`,
    `sha256:${sha256}`,
  ].map((fact) => `unix:${fact}`);
  await domain.createEntry('/workload', facts, ...below);
  const others = [
    'uid:1',
    'user:daemon',
    'gid:1',
    'group:daemon',
    'path:/bin/sh',
    `sha256:${'0'.repeat(64)}`,
  ];
  for (const [index, other] of others.entries()) {
    await domain.createEntry(`/other-${index}`, [...facts.slice(0, 1), `unix:${other}`], ...below);
  }
  await hasHeardOf(
    domain.firstAgent,
    domain.id('/workload'),
    domain.id(`/other-${others.length - 1}`),
  );
  const answer = await fetchAs(NOBODY, domain.firstAgent, 'x509');
  assert.equal(answer.match(/^.*spiffe:\/\/domain\.test\/workload$/gm)?.length, 1, answer);
  assert.equal(answer.match(/spiffe:\/\/domain\.test/g)?.length, 1, answer);

  const { code, stderr } = await apiAs(1, domain.firstAgent, 'fetch', 'x509');
  assert.equal(code, 1);
  assert.match(stderr, /no identity issued/);
});

/** What that file of the system calls the number. */
async function nameOf(file: 'passwd' | 'group'): Promise<string> {
  const text = await readFile(`/etc/${file}`, 'utf8');
  const [name] =
    text
      .split('\n')
      .find((line) => line.split(':')[2] === String(NOBODY))
      ?.split(':') ?? [];
  return name ?? assert.fail(`/etc/${file} has no name for ${NOBODY}`);
}
