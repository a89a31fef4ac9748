import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { noneSkipped, openTestDatastore, temporaryFolder } from '../kit/datastore.ts';
import { makeOldDatabase, schemaOf } from '../kit/old-database.ts';

const program = join(import.meta.dirname, 'migrate-and-die.ts');

/** Resolves with what it said, or undefined if it was killed before that. */
async function migrate(file: string, diesAfter: number): Promise<string | undefined> {
  const child = spawn(process.execPath, [program, file, String(diesAfter)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said, [code, signal]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  if (signal === 'SIGKILL') return undefined;
  assert.equal(code, 0);
  return said;
}

/** A schema is one of these as a whole. */
const schemas = [
  { migrated: '23 1.15.0', columns: [] },
  { migrated: '24 1.16.0', columns: ['agent_version'] },
  { migrated: '25 1.16.0', columns: ['agent_version', 'additional_attributes'] },
];

test('a migration that is killed after any statement leaves a schema that is whole', async (t) => {
  const folder = await temporaryFolder(t);
  const seen = new Set<string>();
  let statements = 1;
  for (; ; statements++) {
    const file = join(folder, `${statements}.sqlite3`);
    makeOldDatabase(file, 23, '1.15.0');
    const said = await migrate(file, statements);
    if (said !== undefined) {
      assert.equal(said, `migrated in ${statements - 1} statements\n`);
      break;
    }
    const left = schemaOf(file);
    assert.deepEqual(
      left,
      schemas.find(({ migrated }) => migrated === left.migrated),
    );
    seen.add(left.migrated);
    const datastore = await openTestDatastore(t, file);
    assert.equal((await datastore.entries.all(noneSkipped)).length, 6);
    await datastore[Symbol.asyncDispose]();
    assert.deepEqual(schemaOf(file), schemas[2]);
  }
  assert.equal(seen.size, schemas.length, `killed at each of ${statements} statements`);
});
