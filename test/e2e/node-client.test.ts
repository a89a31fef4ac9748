import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:http';
import { get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { Client, Server as GrpcServer, type ServiceError } from '@grpc/grpc-js';
import {
  authorizeId,
  authorizeMemberOf,
  BundleSource,
  createMtlsServer,
  grpcCredentials,
  JwtSource,
  MtlsAgent,
  peerIdOf,
  SpiffeId,
  serveGrpc,
  TrustDomain,
  WorkloadApi,
  X509Source,
} from '../../src/workload/index.ts';
import { eventually } from '../kit/programs.ts';
import { startTrustDomain, type TrustDomainProcesses } from '../kit/trust-domain.ts';

const OWN = `unix:uid:${process.getuid?.() ?? 0}`;
const web = 'spiffe://example.test/web';

const endpointOf = (domain: TrustDomainProcesses) => ({ endpoint: `unix://${domain.agentSocket}` });

function disposed<T extends AsyncDisposable>(t: TestContext, resource: T): T {
  t.after(() => resource[Symbol.asyncDispose]());
  return resource;
}

test('a source waits for its entry, follows rotations, and outlives its agent', async (t) => {
  const domain = await startTrustDomain(t);
  const failures: unknown[] = [];
  const opening = X509Source.open({
    ...endpointOf(domain),
    failed: (error) => failures.push(error),
  });
  await eventually(() => failures.length > 0, 'the first refusal');
  assert.match(String(failures[0]), /no identity issued/);
  // An SVID of 12 s is renewed after about 6.
  await domain.createEntry('/web', [OWN], '-x509SVIDTTL', '12');
  const source = disposed(t, await opening);
  assert.equal(source.svid.id.toString(), web);
  const serials = new Set<bigint | undefined>();
  for await (const { svids } of source.updates()) {
    serials.add(svids[0].chain[0]?.serialNumber);
    if (serials.size === 2) break;
  }
  const told = failures.length;
  await domain.restartAgent();
  await eventually(() => failures.length > told, 'the end of the stream');
  const before = source.svid;
  await eventually(() => source.svid !== before, 'news from the new agent');
});

test('a source gives up when it is told to, and where asking is of no use', async (t) => {
  const domain = await startTrustDomain(t);
  const signal = AbortSignal.timeout(300);
  await assert.rejects(X509Source.open({ ...endpointOf(domain), signal }), {
    name: 'TimeoutError',
  });
  await assert.rejects(X509Source.open({ endpoint: 'http://nowhere' }), {
    kind: 'invalid',
    message: 'workload endpoint socket URI must have a "tcp" or "unix" scheme',
  });
});

test('two processes talk mTLS over node:http and grpc-js, each naming the other', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/web', [OWN]);
  const source = disposed(t, await X509Source.open(endpointOf(domain)));
  const authorize = authorizeId(web);
  const http = createServer((request, response) => {
    response.end(`hello ${peerIdOf(request.socket)?.toString()}`);
  });
  const port = await listen(
    t,
    createMtlsServer({ source, authorize: authorizeMemberOf('example.test'), serve: http }),
  );
  const agent = new MtlsAgent({ source, authorize });
  t.after(() => agent.destroy());
  const [response] = (await once(get({ host: '127.0.0.1', port, agent }), 'response')) as [
    IncomingMessage,
  ];
  assert.equal(await text(response), `hello ${web}`);

  const grpc = new GrpcServer();
  grpc.register(
    '/test.Echo/Say',
    (call: { request: Buffer }, answer: (error: null, value: Buffer) => void) => {
      answer(null, call.request);
    },
    (value: Buffer) => value,
    (bytes: Buffer) => bytes,
    'unary',
  );
  t.after(() => {
    grpc.forceShutdown();
  });
  const grpcPort = await listen(
    t,
    createMtlsServer({ source, authorize, serve: serveGrpc(grpc), protocols: ['h2'] }),
  );
  const say = (id: string) => {
    const client = new Client(
      `127.0.0.1:${grpcPort}`,
      grpcCredentials({ source, authorize: authorizeId(id) }),
    );
    t.after(() => {
      client.close();
    });
    return new Promise<string>((resolve, reject) => {
      client.makeUnaryRequest(
        '/test.Echo/Say',
        (value: Buffer) => value,
        (bytes: Buffer) => bytes.toString(),
        Buffer.from('hello'),
        (error: ServiceError | null, value?: string) => {
          if (error === null) resolve(value ?? '');
          else reject(error);
        },
      );
    });
  };
  assert.equal(await say(web), 'hello');
  await assert.rejects(say('spiffe://example.test/other'), { code: 14 });
});

test('tokens are fetched, kept while they are fresh, and verified offline and by the agent', async (t) => {
  const domain = await startTrustDomain(t);
  await domain.createEntry('/web', [OWN]);
  await domain.createEntry('/second', [OWN], '-hint', 'second');
  using api = new WorkloadApi(endpointOf(domain));
  await eventually(
    () =>
      api.fetchX509Context().then(
        ({ svids }) => svids.length === 2,
        () => false,
      ),
    'both identities',
  );
  const source = disposed(t, await JwtSource.open(endpointOf(domain)));
  const id = SpiffeId.parse(web);
  const svid = await source.fetch({ audience: 'reports', id });
  assert.equal(svid.id.toString(), web);
  assert.equal((await source.fetch({ audience: ['reports'], id })).token, svid.token);
  assert.notEqual((await source.fetch({ audience: ['other'], id })).token, svid.token);
  assert.deepEqual((await source.verify(svid.token, ['x', 'reports'])).id.toString(), web);
  await assert.rejects(source.verify(svid.token, 'wrong'), { kind: 'invalid' });
  await assert.rejects(source.verify(`${svid.token.slice(0, -4)}AAAA`, 'reports'), {
    kind: 'invalid',
  });
  assert.equal((await api.validateJwtSvid(svid.token, 'reports')).id.toString(), web);
  await assert.rejects(api.validateJwtSvid(svid.token, 'wrong'), { kind: 'invalid' });
  const all = await api.fetchJwtSvids({ audience: 'reports' });
  assert.deepEqual(all.map(({ hint }) => hint).toSorted(), ['', 'second']);
  await assert.rejects(
    source.fetch({ audience: 'reports', id: SpiffeId.parse('spiffe://example.test/nobody') }),
    { kind: 'denied', message: 'no identity issued' },
  );
});

test('a process without an identity verifies with a BundleSource, where the agent allows it', async (t) => {
  const domain = await startTrustDomain(t, { agent: 'allow_unauthenticated_verifiers = true' });
  const bundles = disposed(t, await BundleSource.open(endpointOf(domain)));
  assert.deepEqual(bundles.trustDomains().map(String), ['example.test']);
  const bundle = bundles.bundleOf(TrustDomain.parse('example.test'));
  assert.equal(bundle?.x509Authorities.length, 1);
  assert.equal(bundle?.jwtAuthorities.length, 1);
  assert.equal(bundles.bundleOf(TrustDomain.parse('other.test')), undefined);
});

async function listen(t: TestContext, server: ReturnType<typeof createMtlsServer>) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}
