import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { OtlpReceiver, type ReceivedSpan } from '../kit/otlp-receiver.ts';
import { eventually, runProgram, spireAgent } from '../kit/programs.ts';
import { startTrustDomain, type TrustDomainProcesses } from '../kit/trust-domain.ts';
import { workloadOf } from '../kit/workload.ts';

const OWN = [`unix:uid:${process.getuid?.() ?? 0}`];

/** A trust domain that tells a receiver all it does. */
async function observed(
  t: TestContext,
  keys = '',
): Promise<{ receiver: OtlpReceiver; domain: TrustDomainProcesses }> {
  const receiver = await OtlpReceiver.start();
  t.after(() => receiver[Symbol.asyncDispose]());
  const telemetry = `telemetry { OpenTelemetry { endpoint = "${receiver.endpoint}" ${keys} } }`;
  const domain = await startTrustDomain(t, {
    serverSections: telemetry,
    agentSections: telemetry,
    // The agent's alias takes that place: other SVIDs are minted when a workload asks for them.
    agent: 'x509_svid_cache_max_size = 1',
  });
  return { receiver, domain };
}

/** `service: name < service: name of its parent < ...`, of each span of a trace. */
function lineages(spans: readonly ReceivedSpan[], traceId: string): string[] {
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const lineage = (span: ReceivedSpan | undefined): string[] =>
    span === undefined
      ? []
      : [`${span.service}: ${span.name}`, ...lineage(byId.get(span.parentSpanId ?? ''))];
  return spans.filter((span) => span.traceId === traceId).map((span) => lineage(span).join(' < '));
}

const API = 'spire_agent: SpiffeWorkloadAPI';

test("one trace follows a workload's request through agent and server", async (t) => {
  const { receiver, domain } = await observed(t);
  await domain.createEntry('/web', OWN);
  await domain.agent.says(/Entry created.*\/web/);
  await workloadOf(t, domain.agentSocket).has(domain.id('/web'));
  const jwt = await runProgram([
    spireAgent,
    ...`api fetch jwt -audience x -socketPath ${domain.agentSocket}`.split(' '),
  ]);
  assert.equal(jwt.code, 0, jwt.stderr);
  await domain.agent.stop();
  await domain.server.stop();

  const { spans } = receiver;
  const traceOf = (name: string) =>
    spans.find((span) => span.name === name && span.service === 'spire_server')?.traceId ??
    assert.fail(`no ${name} in ${spans.map((span) => span.name).join()}`);

  const ofJwt = lineages(spans, traceOf('spire.api.server.svid.v1.SVID/NewJWTSVID'));
  const fetchJwt = `${API}/FetchJWTSVID`;
  const rpc = 'spire.api.server.svid.v1.SVID/NewJWTSVID';
  const called = `spire_server: ${rpc} < spire_agent: ${rpc} < spire_agent: JWT-SVID < ${fetchJwt}`;
  for (const lineage of [
    fetchJwt,
    `spire_agent: attest workload < ${fetchJwt}`,
    `spire_agent: attestor unix < spire_agent: attest workload < ${fetchJwt}`,
    called,
    `spire_server: sign JWT-SVID < ${called}`,
  ]) {
    assert.ok(ofJwt.includes(lineage), `${lineage}\nin\n${ofJwt.join('\n')}`);
  }

  const mint = 'spire.api.server.svid.v1.SVID/BatchNewX509SVID';
  const ofX509 = spans
    .filter((span) => span.name === mint && span.service === 'spire_server')
    .flatMap(({ traceId }) => lineages(spans, traceId));
  const fetchX509 = `${API}/FetchX509SVID`;
  assert.ok(
    ofX509.some((lineage) =>
      new RegExp(
        `^spire_server: sign X509-SVID < spire_server: ${mint} < spire_agent: ${mint} < spire_agent: mint X509-SVIDs < .*${fetchX509}$`,
      ).test(lineage),
    ),
    ofX509.join('\n'),
  );
  const roots = spans.filter(({ name, service }) => `${service}: ${name}` === fetchX509);
  assert.ok(
    roots.every(({ startTimeUnixNano, endTimeUnixNano }) => {
      return BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano) < 20_000_000_000n;
    }),
    'they end with the answer, not with the stream',
  );
});

test('metrics and logs are sent too, and what is switched off is not', async (t) => {
  const { receiver, domain } = await observed(t, 'traces = false service_name = "mine"');
  await domain.agent.stop();
  await domain.server.stop();
  assert.deepEqual(receiver.spans, []);
  for (const name of ['spire_server.started', 'spire_agent.started']) {
    assert.ok(
      receiver.metrics.some((metric) => metric.name === name && metric.service === 'mine'),
      name,
    );
  }
  const messages = receiver.logs.map(({ body }) => body.stringValue);
  for (const message of ['Starting Server APIs', 'Starting agent APIs']) {
    assert.ok(messages.includes(message), message);
  }
  assert.ok(domain.server.output.includes('msg="Starting Server APIs"'), 'the log itself goes on');
});

test('a stranger does not choose a trace, nor what is recorded', async (t) => {
  const { receiver, domain } = await observed(t, 'sample_ratio = "0"');
  await domain.runServer('healthcheck');
  await domain.createEntry('/web', OWN);
  await workloadOf(t, domain.agentSocket).has(domain.id('/web'));
  await domain.agent.stop();
  await domain.server.stop();
  assert.deepEqual(receiver.spans, []);
});

test('a receiver that is away is told of, and nobody waits for it', async (t) => {
  const receiver = await OtlpReceiver.start();
  const { endpoint } = receiver;
  await receiver[Symbol.asyncDispose]();
  const telemetry = `telemetry { OpenTelemetry { endpoint = "${endpoint}" } }`;
  const domain = await startTrustDomain(t, { serverSections: telemetry, agentSections: telemetry });
  await domain.createEntry('/web', OWN);
  await workloadOf(t, domain.agentSocket).has(domain.id('/web'));
  await eventually(
    () => /msg="Could not send by OTLP" error="connect ECONNREFUSED/.test(domain.server.output),
    'the warning',
  );
  assert.deepEqual(await domain.agent.stop(), { code: 0, signal: null });
  assert.deepEqual(await domain.server.stop(), { code: 0, signal: null });
});
