import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { bundleJson, LocalAuthorityCli } from '../kit/local-authority.ts';
import { handshake, startBelow, svidOf, workloadIn } from '../kit/nested.ts';
import { eventually } from '../kit/programs.ts';
import { startTrustDomain } from '../kit/trust-domain.ts';
import { leafOf, type Workload } from '../kit/workload.ts';

/** Longer than two looks of the slowest poll. */
const SOON = 'within the polls of the servers and their agents';

/** SPIRE's scenario nested-rotation; what it tells apart by labels of containers are users here. */
test('in a tree of servers every workload verifies every other one while authorities rotate', async (t) => {
  const root = await startTrustDomain(t, { server: 'ca_ttl = "1h"' });
  const server = 'ca_ttl = "1h"\n default_x509_svid_ttl = "15s"';
  const intermediates = {
    a: await startBelow(t, root, '/intermediateA', 1002, { server }),
    b: await startBelow(t, root, '/intermediateB', 1003, {
      server: `${server}\n disable_jwt_svids = true`,
    }),
  };
  // A leaf's CA lasts 47 s: the next one is made at 30 s and used from 40 s on.
  const leafServer =
    'ca_ttl = "47s"\n default_x509_svid_ttl = "15s"\n default_jwt_svid_ttl = "15s"';
  const leaves = {
    a: await startBelow(t, intermediates.a, '/leafA', 1002, { server: leafServer }),
    b: await startBelow(t, intermediates.b, '/leafB', 1002, { server: leafServer }),
  };
  const workloads = {
    a: await workloadIn(t, intermediates.a, '/intermediateA/workload'),
    b: await workloadIn(t, intermediates.b, '/intermediateB/workload'),
    leafA: await workloadIn(t, leaves.a, '/leafA/workload'),
    leafB: await workloadIn(t, leaves.b, '/leafB/workload'),
  };
  await assert.rejects(workloads.b.jwt(['testIt']), {
    message: /code = Unimplemented desc = JWT functionality is disabled$/,
  });

  const pairs: [Workload, Workload][] = [
    [workloads.a, workloads.b],
    [workloads.leafA, workloads.leafB],
    [workloads.leafB, workloads.a],
  ];
  const talk = async () => {
    for (const [one, other] of pairs) await handshake(await svidOf(one), await svidOf(other));
    for (const [issuer, validator] of [
      [workloads.a, workloads.b],
      [workloads.leafA, workloads.leafB],
      [workloads.leafB, workloads.leafA],
    ] as const) {
      const [token] = await issuer.jwt(['testIt']);
      assert.ok(token);
      await validator.validate(token.svid, 'testIt');
    }
  };
  // A key that has just been published takes its polls to be known elsewhere; from then on nothing may fail.
  await eventually(
    () =>
      talk().then(
        () => true,
        () => false,
      ),
    `the first talk, ${SOON}`,
  );

  const signersOf = async () =>
    Promise.all(
      [workloads.leafA, workloads.leafB].map(async (workload) =>
        Buffer.from(leafOf(await svidOf(workload)).authorityKeyId ?? []).toString('hex'),
      ),
    );
  const first = await signersOf();
  const deadline = Date.now() + 75_000;
  for (let now = first; now.some((signer) => first.includes(signer)); now = await signersOf()) {
    assert.ok(Date.now() < deadline, 'the CAs of the leaves do not rotate');
    await talk();
    await pause(1000);
  }
  await talk();

  await leaves.a.server.stop();
  await leaves.b.server.stop();
  await intermediates.b.restartServer();
  const jwt = new LocalAuthorityCli(intermediates.a, 'jwt');
  const prepared = await jwt.prepare();
  await jwt.change('activate', prepared);
  await eventually(
    async () =>
      (await bundleJson(intermediates.b)).jwt_authorities.some(({ key_id }) => key_id === prepared),
    `the key of the other branch, ${SOON}`,
    20_000,
  );
  const { stdout } = await intermediates.b.runServer('bundle', 'show', '--format', 'spiffe');
  assert.ok(stdout.includes(prepared));
  for (const { server: running } of [root, intermediates.a, intermediates.b]) {
    assert.ok(running.running);
    assert.doesNotMatch(running.output, /level=error/);
  }
});
