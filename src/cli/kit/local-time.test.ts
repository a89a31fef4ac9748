import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { localTime } from './local-time.ts';
import { readZoneFile } from './zone-file.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'zone-'));
});
after(() => rm(folder, { recursive: true }));

type Type = readonly [offset: number, name: string];

/** A zone file of version 2: an empty part with 32-bit times, then one with 64-bit times. */
function zoneFile(types: readonly Type[], transitions: readonly (readonly [bigint, number])[]) {
  const names = types.map(([, name]) => `${name}\0`).join('');
  const header = (times: number, typeCount: number, characters: number): Buffer => {
    const bytes = Buffer.alloc(44);
    bytes.write('TZif2', 'latin1');
    bytes.writeUInt32BE(times, 32);
    bytes.writeUInt32BE(typeCount, 36);
    bytes.writeUInt32BE(characters, 40);
    return bytes;
  };
  const times = Buffer.alloc(transitions.length * 8);
  for (const [index, [at]] of transitions.entries()) times.writeBigInt64BE(at, index * 8);
  const indexes = Buffer.from(transitions.map(([, type]) => type));
  const infos = types.map(([offset, name]) => {
    const info = Buffer.alloc(6);
    info.writeInt32BE(offset);
    info.writeUInt8(names.indexOf(`${name}\0`), 5);
    return info;
  });
  const data = [header(transitions.length, types.length, names.length), times, indexes, ...infos];
  return Buffer.concat([header(0, 0, 0), ...data, Buffer.from(names)]);
}

const MARCH = 1_772_359_200n; // 2026-03-01 10:00 UTC

test('prints the time with the name that its zone has for the offset', async () => {
  const path = join(folder, 'zone');
  const types: Type[] = [
    [3600, 'OLD'],
    [3600, 'CET'],
    [7200, 'CEST'],
  ];
  const content = zoneFile(types, [
    [0n, 1],
    [1000n, 2],
  ]);
  await writeFile(path, content);
  const winter = await localTime(path, () => 3600);
  assert.equal(winter(MARCH), '2026-03-01 11:00:00 +0100 CET');
  const summer = await localTime(`:${path}`, () => 7200);
  assert.equal(summer(MARCH), '2026-03-01 12:00:00 +0200 CEST');
  const before1970 = await localTime(path, () => 3600);
  assert.equal(before1970(-5n), '1970-01-01 00:59:55 +0100 OLD');
  const unnamed = await localTime(path, () => -10_800);
  assert.equal(unnamed(MARCH), '2026-03-01 07:00:00 -0300 -03');
});

test('without a zone file it is UTC', async () => {
  const text = await localTime(join(folder, 'none'), () => 3600);
  assert.equal(text(MARCH), '2026-03-01 10:00:00 +0000 UTC');
});

test('a file that is no zone file, or only a part of one, is none', () => {
  assert.equal(readZoneFile(Buffer.from('not a zone')), undefined);
  const whole = zoneFile([[0, 'UTC']], [[0n, 0]]);
  for (let length = 0; length < whole.length - 4; length++) {
    assert.equal(readZoneFile(whole.subarray(0, length)), undefined, `${length} bytes`);
  }
});

test('this machine has a zone', async () => {
  assert.match(
    (await localTime(process.env['TZ']))(MARCH),
    /^2026-0[23]-\d\d \d\d:\d\d:00 [+-]\d{4} \S+$/,
  );
});

test('no bytes make the reader of zone files fail in any other way', () => {
  const head = Buffer.from('TZif2');
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      readZoneFile(Buffer.concat([head, bytes]))?.abbreviation(0n, 0);
    }),
  );
});
