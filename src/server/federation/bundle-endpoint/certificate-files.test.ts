import assert from 'node:assert/strict';
import { rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { VirtualClock } from '../../../../test/kit/clock.ts';
import { temporaryFolder } from '../../../../test/kit/datastore.ts';
import { WebOfTrust } from '../../../../test/kit/https-endpoint.ts';
import { eventually } from '../../../../test/kit/programs.ts';
import { type LogLine, recordingLog } from '../../../../test/kit/recording-log.ts';
import { writePem } from '../../../crypto/pem.ts';
import { certificateFilesIdentity } from './certificate-files.ts';

async function files(t: TestContext) {
  const folder = await temporaryFolder(t);
  const web = await WebOfTrust.create('web');
  const pair = async () => {
    const { certificate, key } = await web.web(['localhost']);
    return {
      cert: writePem('CERTIFICATE', certificate.der),
      key: writePem('PRIVATE KEY', key.toPkcs8()),
    };
  };
  const [certFilePath, keyFilePath] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  let writes = 0;
  const write = async (path: string, content: string) => {
    await writeFile(path, content);
    writes += 1; // file systems may count time in seconds
    await utimes(path, writes, writes);
  };
  const lines: LogLine[] = [];
  const clock = new VirtualClock();
  const open = async () => {
    const identity = await certificateFilesIdentity(
      { kind: 'certificate-files', certFilePath, keyFilePath, syncIntervalSeconds: 60 },
      clock,
      recordingLog(lines),
    );
    t.after(() => identity[Symbol.asyncDispose]());
    return identity;
  };
  return { pair, write, certFilePath, keyFilePath, lines, clock, open };
}

type Files = Awaited<ReturnType<typeof files>>;

/** Passes one interval, and waits until the files were looked at. */
async function pass({ clock }: Files): Promise<void> {
  await clock.advance({ seconds: 60 });
  await eventually(() => clock.sleepers === 1, 'a look at the files');
}

const text = (value: unknown) => Buffer.from(value as Uint8Array).toString();

test('a new pair is taken when either file has changed, and not before it is due', async (t) => {
  const world = await files(t);
  const first = await world.pair();
  await world.write(world.certFilePath, first.cert);
  await world.write(world.keyFilePath, first.key);
  const identity = await world.open();
  const told: string[] = [];
  const stop = identity.onChange(({ cert }) => told.push(text(cert)));
  assert.equal(text(identity.current()?.cert), first.cert);
  await pass(world);
  assert.deepEqual(told, []);
  const second = await world.pair();
  await world.write(world.certFilePath, second.cert);
  await world.write(world.keyFilePath, second.key);
  await world.clock.advance({ seconds: 59 });
  assert.equal(text(identity.current()?.cert), first.cert);
  await pass(world);
  assert.deepEqual(told, [second.cert]);
  assert.equal(text(identity.current()?.key), second.key);
  stop();
  assert.deepEqual(
    world.lines.map(({ message }) => message),
    [
      'Started watching certificate files',
      'File change detected, reloading certificate and key...',
      'Loaded provided certificate with success',
    ],
  );
  assert.deepEqual(world.lines[0]?.fields, { interval: '1m0s' });
});

test('what cannot be used changes nothing until it can', async (t) => {
  const world = await files(t);
  const [first, second] = [await world.pair(), await world.pair()];
  await world.write(world.certFilePath, first.cert);
  await world.write(world.keyFilePath, first.key);
  const identity = await world.open();
  const attempts: [act: () => Promise<unknown>, error: RegExp][] = [
    [() => world.write(world.certFilePath, 'nonsense'), /failed to find any PEM data/],
    [() => world.write(world.certFilePath, second.cert), /key values mismatch/],
    [() => rm(world.keyFilePath), /^"open \S+: no such file or directory"$/],
    [
      () => world.write(world.keyFilePath, 'x'.repeat(2 * 1024 * 1024)),
      /is longer than 1048576 bytes/,
    ],
  ];
  for (const [act, error] of attempts) {
    await act();
    world.lines.length = 0;
    await pass(world);
    assert.equal(text(identity.current()?.cert), first.cert);
    const last = world.lines.at(-1);
    assert.equal(last?.message, 'Failed to load certificate');
    assert.match(JSON.stringify(last.fields['error']), error);
  }
  await world.write(world.keyFilePath, second.key);
  await pass(world);
  assert.equal(text(identity.current()?.cert), second.cert);
});

test('without a pair to start with there is no endpoint', async (t) => {
  const world = await files(t);
  const { cert } = await world.pair();
  const opening = {
    kind: 'failed-precondition',
    message: `failed to load certificate: open ${world.certFilePath}: no such file or directory`,
  };
  await assert.rejects(world.open(), opening);
  await world.write(world.certFilePath, cert);
  await world.write(world.keyFilePath, 'nonsense');
  await assert.rejects(world.open(), { message: /^failed to load certificate: tls: / });
  assert.equal(world.clock.sleepers, 0);
});
