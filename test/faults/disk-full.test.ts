import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { rootAuthority } from '../kit/certificates.ts';
import { accepts, eventually } from '../kit/programs.ts';
import { attestWithToken, dialLocal, mintIdentity } from '../kit/server-callers.ts';
import { noSmallDisk, SmallDisk } from '../kit/small-disk.ts';
import { type TrustDomainOptions, TrustDomainProcesses } from '../kit/trust-domain.ts';
import { Workload } from '../kit/workload.ts';
import { checkAgentFiles } from './agent-files.ts';
import { assertGood, createEntry, createToken, entryIds } from './plain-calls.ts';

const FULL = 'datastore-sql: database or disk is full (free some space)';
const NO_SPACE = /no space left on device/;
const CA_TTL_SECONDS = 5;
/** An agent renews some five seconds after its attestation. */
const AGENT_TTL_SECONDS = 20;
const OWN = `unix:uid:${process.getuid?.() ?? 0}`;

/** A trust domain whose server, or whose first agent, has its data on a small disk. Nothing runs yet. */
async function onSmallDisk(folder: 'server' | 'agent', options: TrustDomainOptions) {
  await using opened = new AsyncDisposableStack();
  const domain = opened.use(await TrustDomainProcesses.create(options));
  const disk = opened.use(await SmallDisk.mount(domain.path(folder), { kilobytes: 1024 }));
  const running = opened.move();
  return { domain, disk, [Symbol.asyncDispose]: () => running.disposeAsync() };
}

describe('a full disk', { skip: await noSmallDisk(), concurrency: true }, () => {
  test('makes a server refuse what it cannot keep, and nothing else', async () => {
    const server = 'ratelimit { attestation = false }';
    await using world = await onSmallDisk('server', { server });
    const { domain, disk } = world;
    await domain.startServer();
    await createToken(domain, 'before');
    const kept = ['before'];
    assert.equal(await createEntry(domain, 'before'), 'OK');
    await disk.fill();
    let answer = 'OK';
    while (answer === 'OK') {
      const id = `entry-${kept.length}`;
      answer = await createEntry(domain, id);
      if (answer === 'OK') kept.push(id);
    }
    assert.equal(answer, `code 13: failed to create entry: ${FULL}`);
    await assert.rejects(createToken(domain, 'meanwhile'), {
      kind: 'internal',
      message: `failed to create token: ${FULL}`,
    });
    await assert.rejects(attestWithToken(domain, 'before'), {
      kind: 'internal',
      message: `failed to fetch join token: ${FULL}`,
    });
    assert.deepEqual((await entryIds(domain)).toSorted(), kept.toSorted());
    await mintIdentity(domain, domain.id('/minted'));

    await domain.server.stop('SIGKILL');
    await domain.startServer(); // on the full disk
    assert.deepEqual((await entryIds(domain)).toSorted(), kept.toSorted());
    assert.match(await createEntry(domain, 'again'), /database or disk is full/);

    await disk.makeRoom();
    assert.equal(await createEntry(domain, 'after'), 'OK');
    await assertGood(domain, 'before');
    await domain.restartServer();
    assert.deepEqual((await entryIds(domain)).toSorted(), [...kept, 'after'].toSorted());
  });

  test('keeps a server from starting that needs a new key, and costs it none', async () => {
    await using world = await onSmallDisk('server', { server: `ca_ttl = "${CA_TTL_SECONDS}s"` });
    const { domain, disk } = world;
    await domain.startServer();
    await domain.server.stop('SIGKILL');
    const keys = await readFile(domain.path('server/keys.json'));
    await disk.fill();
    await pause((CA_TTL_SECONDS + 1) * 1000);
    const refused = domain.runServerProcess();
    assert.deepEqual(await refused.exited, { code: 1, signal: null });
    assert.match(
      refused.output,
      /level=error msg="Server crashed" error="rpc error: code = Internal desc = keymanager\(disk\): failed to generate key: unable to write entries: open \S+keys\.json: no space left on device"/,
    );
    assert.deepEqual(await readFile(domain.path('server/keys.json')), keys);
    await disk.makeRoom();
    await domain.startServer();
    await mintIdentity(domain, domain.id('/minted'));
  });

  test('keeps an agent from attesting, without its token, until there is room', async () => {
    await using world = await onSmallDisk('agent', {});
    const { domain, disk } = world;
    await domain.startServer();
    const token = await domain.prepareAgent();
    await domain.createEntry('/workload', [OWN]);
    await disk.fill();
    const program = domain.firstAgent.run('-joinToken', token);
    const { input } = await program.says(/level=warning msg="Failed to retrieve .*\n/);
    assert.match(input, NO_SPACE);
    await disk.makeRoom();
    await eventually(() => {
      assert.ok(program.running, program.output);
      return accepts({ path: domain.agentSocket });
    }, 'the next try');
    using workload = new Workload(domain.agentSocket);
    await workload.has(domain.id('/workload'));
  });

  test('costs a running agent nothing', async () => {
    await using world = await onSmallDisk('agent', {
      server: `agent_ttl = "${AGENT_TTL_SECONDS}s"`,
    });
    const { domain, disk } = world;
    await domain.startServer();
    await domain.startAgent('-joinToken', await domain.prepareAgent());
    await domain.createEntry('/workload', [OWN]);
    const { agent, firstAgent } = domain;
    const former = await checkAgentFiles(firstAgent.dataDirectory);
    assert.ok(former);
    using workload = new Workload(domain.agentSocket);
    await workload.has(domain.id('/workload'));

    await disk.fill();
    await appendAuthority(domain);
    const { input: first } = await agent.says(/msg="Could not store bundle" .*\n/);
    assert.match(first, NO_SPACE);
    const { input: second } = await agent.says(/msg="Could not rotate agent SVID" .*\n/);
    assert.match(second, NO_SPACE);
    await workload.has(domain.id('/workload'));
    assert.deepEqual((await checkAgentFiles(firstAgent.dataDirectory))?.der, former.der);

    await disk.makeRoom();
    await agent.says(/msg="Successfully rotated agent SVID"/);
    await agent.stop('SIGKILL');
    const leaf = await checkAgentFiles(firstAgent.dataDirectory);
    assert.ok(leaf && leaf.serialNumber !== former.serialNumber);
    await domain.startAgent();
    await domain.agent.says(/SVID loaded/);
    await workload.has(domain.id('/workload'));
  });
});

async function appendAuthority(domain: TrustDomainProcesses): Promise<void> {
  const { certificate } = await rootAuthority('another');
  using channel = dialLocal(domain);
  const x509Authorities = [{ asn1: certificate.der }];
  await channel.client(Bundle).appendBundle({ x509Authorities });
}
