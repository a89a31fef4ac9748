import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type ApiWorld, apiSuite } from '../../../test/kit/api-world.ts';
import { type LogLine, recordingLog } from '../../../test/kit/recording-log.ts';
import { type Certificate, parseCertificate } from '../../crypto/x509/certificate.ts';
import { noMetrics } from '../../ops/metrics.ts';
import { type Channel, dial } from '../../rpc/dial.ts';
import { createRpcServer } from '../../rpc/serve.ts';
import { listenUnix } from '../../rpc/unix-socket.ts';
import type { SpiffeId } from '../../spiffe/spiffe-id.ts';
import {
  Health,
  HealthCheckResponse_ServingStatus,
} from '../../wire/gen/grpc/health/v1/health_pb.ts';
import { Agent } from '../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Debug } from '../../wire/gen/spire/api/server/debug/v1/debug_pb.ts';
import { Entry } from '../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { Logger } from '../../wire/gen/spire/api/server/logger/v1/logger_pb.ts';
import { SVID } from '../../wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { LogLevel } from '../../wire/gen/spire/api/types/logger_pb.ts';
import type { Peer } from '../endpoints/peer.ts';
import { createInterceptor } from './interceptor.ts';
import { createRateLimits } from './rate-limits.ts';
import { serverServices } from './services.ts';

apiSuite('the services on a real connection', (world) => {
  const lines: LogLine[] = [];
  const stack = new AsyncDisposableStack();
  let connect: (peer: Peer) => Promise<Channel>;
  let local: Channel;

  before(async () => {
    connect = await serve(world, lines, stack);
    local = await connect({ kind: 'local', pid: process.pid, uid: 0, gid: 0 });
  });
  after(() => stack.disposeAsync());

  const asAgent = async (id: SpiffeId, leaf: Pick<Certificate, 'serialNumber' | 'notAfter'>) =>
    connect({ ...network, chain: [leaf as Certificate], id });

  test('a token becomes an agent, and the agent an SVID of its workload', async () => {
    const { value } = await local.client(Agent).createJoinToken({ ttl: 60, token: 'tok' });
    const anonymous = await connect({ ...network, chain: [], id: undefined });
    const csr = await world.csr();
    const answers = [];
    const answered = Promise.withResolvers<void>();
    const stream = anonymous.client(Agent).attestAgent(
      (async function* () {
        const data = { type: 'join_token', payload: Buffer.from(value) };
        yield { step: { case: 'params' as const, value: { data, params: { csr } } } };
        // The server answers and ends the call while this side is still open.
        await answered.promise;
      })(),
    );
    for await (const { step } of stream) answers.push(step);
    answered.resolve();
    const [step, ...more] = answers;
    assert.deepEqual(more, []);
    assert.ok(step?.case === 'result');
    const leaf = parseCertificate(step.value.svid?.certChain[0] ?? new Uint8Array());

    const agentId = world.id('/spire/agent/join_token/tok');
    await world.entry({ id: 'web', spiffeId: world.id('/web'), parentId: agentId });
    const agent = await asAgent(agentId, leaf);
    const { entries } = await agent.client(Entry).getAuthorizedEntries({});
    assert.deepEqual(
      entries.map(({ id }) => id),
      ['web'],
    );
    const { results } = await agent.client(SVID).batchNewX509SVID({
      params: [{ entryId: 'web', csr }],
    });
    assert.equal(results[0]?.svid?.id?.path, '/web');
    const { svid } = await agent.client(SVID).newJWTSVID({ entryId: 'web', audience: ['a'] });
    assert.equal(svid?.id?.path, '/web');
  });

  test('a renewed SVID counts from its first use, and the old one no longer', async () => {
    const { id } = await world.agent('r');
    const notAfter = 2_000_000_000;
    const old = await asAgent(id, { serialNumber: 1001n, notAfter });
    const { svid } = await old.client(Agent).renewAgent({ params: { csr: await world.csr() } });
    await old.client(Entry).getAuthorizedEntries({});
    const renewed = await asAgent(id, parseCertificate(svid?.certChain[0] ?? new Uint8Array()));
    await renewed.client(Entry).getAuthorizedEntries({});
    await assert.rejects(old.client(Entry).getAuthorizedEntries({}), {
      kind: 'denied',
      denial: 'not-active',
      message:
        'authorization denied for method /spire.api.server.entry.v1.Entry/GetAuthorizedEntries',
    });
  });

  test('entries are synchronised on a stream that the server ends', async () => {
    const { id } = await world.agent('s');
    await world.entry({ id: 'synced', spiffeId: world.id('/synced'), parentId: id });
    const agent = await asAgent(id, { serialNumber: 1001n, notAfter: 2_000_000_000 });
    const answers = [];
    const answered = Promise.withResolvers<void>();
    const stream = agent.client(Entry).syncAuthorizedEntries(
      (async function* () {
        yield { outputMask: { spiffeId: true, revisionNumber: true } };
        await answered.promise;
      })(),
    );
    for await (const { entries, more } of stream) {
      answers.push([entries.map(({ spiffeId, hint }) => `${spiffeId?.path}${hint}`), more]);
    }
    answered.resolve();
    assert.deepEqual(answers, [[['/synced'], false]]);
  });

  test('this machine has what the network has not', async () => {
    const { status } = await local.client(Health).check({});
    assert.equal(status, HealthCheckResponse_ServingStatus.SERVING);
    await assert.rejects(local.client(Health).check({ service: 'x' }), {
      kind: 'invalid',
      message: 'per-service health is not supported',
    });
    assert.equal((await local.client(Debug).getInfo({})).svidChain.length, 2);
    assert.equal((await local.client(Logger).getLogger({})).launchLevel, LogLevel.INFO);
    const { tcp } = serverServices(world.deps);
    const names = tcp.map(({ desc }) => desc.typeName.split('.').at(-1));
    assert.deepEqual(names, [
      'Agent',
      'Bundle',
      'Entry',
      'SVID',
      'Watch',
      'TrustDomain',
      'LocalAuthority',
    ]);
  });

  test('everything was audited', () => {
    const audited = lines.filter(({ message }) => message === 'API accessed');
    const methods = new Set(audited.map(({ fields }) => fields['method']));
    for (const method of [
      'CreateJoinToken',
      'AttestAgent',
      'RenewAgent',
      'SyncAuthorizedEntries',
    ]) {
      assert.ok(methods.has(method), method);
    }
  });
});

const network = { kind: 'tcp', address: '192.0.2.1', port: 4711 } as const;

/** Serves on a socket, where each connection is of the peer that dialled it. */
async function serve(world: ApiWorld, lines: LogLine[], stack: AsyncDisposableStack) {
  const { deps, clock } = world;
  const folder = await mkdtemp(join(tmpdir(), 'api-'));
  stack.defer(() => rm(folder, { recursive: true }));
  const log = recordingLog(lines);
  const server = stack.use(
    createRpcServer<Peer, Parameters<Parameters<ReturnType<typeof createInterceptor>>[1]>[0]>({
      services: serverServices(deps).local,
      intercept: createInterceptor({
        ...deps,
        metrics: noMetrics,
        clock,
        log,
        adminIds: new Set(),
        rateLimits: createRateLimits({ attestation: true, signing: true }, clock),
        auditLogEnabled: true,
        newRequestId: randomUUID,
        programOf: async () => undefined,
      }),
      log,
    }),
  );
  return async (peer: Peer): Promise<Channel> => {
    const path = join(folder, randomUUID());
    const listener = await listenUnix(path, {
      mode: 0o600,
      directoryMode: 0o700,
      onConnection: (socket) => {
        server.inject(socket, peer);
      },
    });
    stack.defer(() => {
      listener.close();
    });
    return stack.use(dial({ address: `unix:${path}` }));
  };
}
