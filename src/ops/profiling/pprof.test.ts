import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { temporaryFolder } from '../../../test/kit/temp-dir.ts';
import { missing } from '../../../test/kit/toolchain.ts';
import { encodePprof, type Frame } from './pprof.ts';

const frame = (functionName: string, line: number, url = 'file:///a.ts'): Frame => ({
  functionName,
  url,
  line,
});

const data = {
  valueTypes: [
    { type: 'samples', unit: 'count' },
    { type: 'cpu', unit: 'nanoseconds' },
  ],
  samples: [
    { stack: [frame('inner', 3), frame('outer', 10)], values: [2, 20_000_000] },
    { stack: [frame('inner', 4), frame('outer', 10)], values: [1, 10_000_000] },
    { stack: [], values: [1, 5_000_000] },
  ],
  startedAt: Date.UTC(2026, 0, 1),
  durationMilliseconds: 1500,
  period: 10_000_000,
  periodType: { type: 'cpu', unit: 'nanoseconds' },
};

test('names each function, place and string once, and the first string is empty', () => {
  const fields = new Map<number, Uint8Array[]>();
  const reader = new BinaryReader(encodePprof(data));
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === WireType.LengthDelimited) {
      fields.set(field, [...(fields.get(field) ?? []), reader.bytes()]);
    } else reader.skip(type, field);
  }
  const count = (field: number) => fields.get(field)?.length;
  assert.deepEqual([count(1), count(2), count(4), count(5)], [2, 3, 3, 2]);
  assert.deepEqual(
    fields.get(6)?.map((text) => Buffer.from(text).toString()),
    ['', 'samples', 'count', 'cpu', 'nanoseconds', 'inner', 'file:///a.ts', 'outer'],
  );
});

test("Go's own tool reads it", { skip: missing('go') }, async () => {
  await using folder = await temporaryFolder();
  const file = join(folder.path, 'profile.pb');
  await writeFile(file, encodePprof(data));
  const { stdout, stderr } = spawnSync('go', ['tool', 'pprof', '-raw', file], { encoding: 'utf8' });
  assert.match(stdout, /PeriodType: cpu nanoseconds\nPeriod: 10000000\n/, stderr);
  assert.match(stdout, /Duration: 1\.5/);
  assert.match(
    stdout,
    /^samples\/count cpu\/nanoseconds\n +2 +20000000: 1 2 *\n +1 +10000000: 3 2 *\n/m,
  );
  assert.match(stdout, /^ +1: 0x0 M?=?\d* ?inner .*a\.ts:3/m);
  assert.match(stdout, /^ +2: 0x0 M?=?\d* ?outer .*a\.ts:10/m);
});
