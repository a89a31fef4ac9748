import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { Entry } from '../../src/spiffe/entry.ts';
import { noneSkipped, openTestDatastore, temporaryFolder } from '../kit/datastore.ts';

const ROUNDS = process.env['FAULTS'] === 'many' ? 100 : 10;
/** Killed when so many writes are acknowledged at the most, and a little later: in the midst of the next ones. */
const MAX_LINES = 200;
const MAX_DELAY_MILLISECONDS = 5;
/** The tables are made in fewer, from the moment the file is there. */
const MAX_MAKING_MILLISECONDS = 60;

const writer = join(import.meta.dirname, 'datastore-writer.ts');

/** Starts the writer, kills it so long after there is a file or it has written so many lines, and resolves with the lines that it wrote. */
async function writeAndKill(
  file: string,
  round: number,
  { from, delay }: { from: 'file' | { readonly lines: number }; delay: number },
): Promise<readonly string[]> {
  const child = spawn(process.execPath, [writer, file, String(round)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  const wrote = Promise.withResolvers<void>();
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    if (from !== 'file' && text.split('\n').length > from.lines) wrote.resolve();
  });
  const closed = once(child, 'close');
  await Promise.race([from === 'file' ? appearanceOf(file, child) : wrote.promise, closed]);
  await wait(delay);
  child.kill('SIGKILL');
  const [, signal] = await closed;
  assert.equal(signal, 'SIGKILL', 'the writer ended by itself');
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .slice(0, -1);
}

test(`of what was acknowledged ${ROUNDS} kills lose nothing`, async (t) => {
  const file = join(await temporaryFolder(t), 'datastore.sqlite3');
  const acknowledged: string[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const delay = Math.random() * MAX_DELAY_MILLISECONDS;
    const from = { lines: 10 + Math.random() * MAX_LINES };
    const lines = await writeAndKill(file, round, { from, delay });
    acknowledged.push(...lines);
    t.diagnostic(`round ${round}: killed after ${delay.toFixed(1)} ms and ${lines.length} lines`);
    checkFile(file);
    await checkAcknowledged(t, file, acknowledged);
  }
  assert.ok(acknowledged.length > ROUNDS * 10, 'the writer wrote too little to tell anything');
});

test(`a database whose making was interrupted ${ROUNDS} times is made the next time`, async (t) => {
  const folder = await temporaryFolder(t);
  for (let round = 1; round <= ROUNDS; round++) {
    const file = join(folder, `${round}.sqlite3`);
    const delay = (MAX_MAKING_MILLISECONDS * (round - 1)) / ROUNDS;
    const lines = await writeAndKill(file, round, { from: 'file', delay });
    t.diagnostic(`killed after ${delay.toFixed(1)} ms, ${lines[0] ?? 'not yet opened'}`);
    await checkAcknowledged(t, file, lines);
    checkFile(file);
  }
});

async function appearanceOf(file: string, child: ChildProcess): Promise<void> {
  while (!existsSync(file) && child.exitCode === null) await wait(1);
}

/** SQLite's own opinion, and that no transaction was kept in part. */
function checkFile(file: string): void {
  using database = new DatabaseSync(file);
  const count = (sql: string) => database.prepare(sql).get()?.['n'];
  assert.deepEqual(
    { ...database.prepare('pragma integrity_check').get() },
    { integrity_check: 'ok' },
  );
  for (const [table, each] of [
    ['selectors', 2],
    ['dns_names', 1],
  ] as const) {
    const orphans = `select count(*) as n from ${table} where registered_entry_id not in (select id from registered_entries)`;
    assert.equal(count(orphans), 0, `${table} of entries that are not there`);
    const all = `select count(*) as n from ${table}`;
    const entries = Number(count('select count(*) as n from registered_entries'));
    assert.equal(count(all), entries * each, `${table} of each entry`);
  }
  const unannounced = `select count(*) as n from registered_entries as e where revision_number + 1 !=
    (select count(*) from registered_entries_events as v where v.entry_id = e.entry_id)`;
  assert.equal(count(unannounced), 0, 'entries with an event for each write');
}

/** Opens it as the next start does. Beyond what was acknowledged, each caller may have got one step further. */
async function checkAcknowledged(t: TestContext, file: string, lines: readonly string[]) {
  const datastore = await openTestDatastore(t, file);
  const rows = await datastore.entries.all(noneSkipped);
  const agents = await datastore.agents.all(noneSkipped);
  const [bundle] = await datastore.bundles.all(noneSkipped);
  await datastore[Symbol.asyncDispose]();
  using database = new DatabaseSync(file);
  const tokens = new Set(
    database
      .prepare('select token from join_tokens')
      .all()
      .map(({ token }) => token),
  );
  const entries = new Map(rows.map(({ value }) => [value.id, value]));
  const done = new Set(lines);

  for (const line of lines) {
    const [what = '', name = '', more = ''] = line.split(' ');
    const isLast = !done.has(nextStep(what, name));
    checks[what]?.({ name, more, isLast, entry: entries.get(name), hasToken: tokens.has(name) });
    if (what === 'agent') {
      const stored = agents.find(({ value }) => value.id.path.endsWith(`/${name}`))?.value;
      assert.ok(BigInt(stored?.serialNumber ?? 0) >= BigInt(more), line);
      assert.equal(stored?.selectors.length, 2);
    }
    if (what === 'bundle') assert.ok((bundle?.value.sequenceNumber ?? 0n) >= BigInt(name), line);
  }
}

const isEven = (name: string): boolean => Number(name.split('-').at(-1)) % 2 === 0;

/** What the writer says of the same thing next, if it got there. */
function nextStep(what: string, name: string): string {
  if (what === 'created') return `updated ${name}`;
  if (what === 'updated' && isEven(name)) return `deleted ${name}`;
  if (what === 'token' && isEven(name)) return `spent ${name}`;
  return '';
}

type Check = {
  readonly name: string;
  readonly more: string;
  /** Whether the step after this one was not acknowledged. */
  readonly isLast: boolean;
  readonly entry: Entry | undefined;
  readonly hasToken: boolean;
};

const checks: Record<string, (check: Check) => void> = {
  created({ name, isLast, entry }) {
    if (isLast) assert.ok(entry, `${name} was created`);
  },
  updated({ name, isLast, entry }) {
    if (isLast && !isEven(name)) assert.ok(entry, `${name} was created`);
    if (entry !== undefined) assert.equal(entry.hint, 'updated', `${name} was updated`);
  },
  deleted({ name, entry }) {
    assert.equal(entry, undefined, `${name} was deleted`);
  },
  token({ name, isLast, hasToken }) {
    if (isLast && !isEven(name)) assert.ok(hasToken, `token ${name} was created`);
  },
  spent({ name, hasToken }) {
    assert.ok(!hasToken, `token ${name} was spent`);
  },
};
