/**
 * Damaged connections to a running server: HTTP/2 below gRPC, and HTTP below the health endpoint. Each costs its own
 * connection and nothing else. `FUZZ_COUNT` says how many in all, `FUZZ_SEED` repeats a run.
 */
import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { dial } from '../../src/rpc/dial.ts';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { freePort } from '../kit/programs.ts';
import { type LogLine, recordingLog } from '../kit/recording-log.ts';
import { TestServer } from '../kit/server.ts';
import { mutate, randomFrom } from './mutate.ts';

const COUNT = Math.ceil(Number(process.env['FUZZ_COUNT'] ?? 200_000) / 500);
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);
/** How long a connection may stay that says nothing more. */
const SILENCE_MILLISECONDS = 15;

/** What a client of ours writes while it makes these calls. */
async function recordClient(server: TestServer): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  const path = server.path('recorder.sock');
  const recorder = createServer((client) => {
    const upstream = connect(server.socketPath);
    client.on('data', (chunk: Buffer) => chunks.push(chunk));
    client.pipe(upstream).pipe(client);
    for (const socket of [client, upstream]) socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => recorder.listen(path, resolve));
  {
    using channel = dial({ address: `unix:${path}` });
    await channel.client(Bundle).getBundle({});
    await channel.client(Entry).listEntries({ pageSize: 5 });
  }
  await new Promise((resolve) => recorder.close(resolve));
  return new Uint8Array(Buffer.concat(chunks));
}

type Address = { readonly path: string } | { readonly host: string; readonly port: number };

/** Sends it, waits a moment for an answer, and goes. Resolves with how many bytes came back. */
async function send(address: Address, bytes: Uint8Array): Promise<number> {
  let heard = 0;
  const socket: Socket = connect(address);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  socket.on('error', () => undefined);
  socket.on('data', (chunk: Buffer) => (heard += chunk.length));
  socket.write(bytes);
  await Promise.race([closed, pause(SILENCE_MILLISECONDS)]);
  socket.destroy();
  await closed;
  return heard;
}

test('no damaged connection troubles anybody else', async (t) => {
  const lines: LogLine[] = [];
  const healthPort = await freePort();
  const server = await TestServer.start(t, {
    log: recordingLog(lines),
    more: `health_checks { listener_enabled = true bind_address = "127.0.0.1" bind_port = "${healthPort}" }`,
  });
  using channel = server.dialLocal();
  const health = { host: '127.0.0.1', port: healthPort };
  const request = 'GET /live HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nA: b\r\n\r\nbody';
  const targets: readonly { readonly address: Address; readonly seeds: readonly Uint8Array[] }[] = [
    { address: { path: server.socketPath }, seeds: [await recordClient(server)] },
    { address: health, seeds: [new Uint8Array(Buffer.from(request))] },
  ];
  const random = randomFrom(SEED);
  for (const { address, seeds } of targets) {
    let heard = 0;
    for (let turn = 0; turn < COUNT / 2; turn += 10) {
      const inputs = Array.from({ length: 10 }, () => mutate(seeds, random));
      const answers = await Promise.all(inputs.map((input) => send(address, input)));
      heard += answers.filter((length) => length > 0).length;
      const { trustDomain } = await channel.client(Bundle).getBundle({});
      assert.equal(trustDomain, 'example.org', `seed ${SEED}`);
    }
    assert.ok(heard > 0, 'nobody answered at all');
  }
  const response = await fetch(`http://127.0.0.1:${healthPort}/live`);
  assert.equal(response.status, 200);
  const unexpected = lines.filter(({ message }) => /unexpected|crash/i.test(message));
  assert.deepEqual(unexpected, [], `seed ${SEED}`);
  t.diagnostic(`${COUNT} connections, seed ${SEED}`);
});
