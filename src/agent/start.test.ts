import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { AgentWorld, fakeEntry } from '../../test/kit/agent-world.ts';
import { fixedLevels, noSignal } from '../../test/kit/program-env.ts';
import { type LogLine, recordingLog } from '../../test/kit/recording-log.ts';
import { systemClock } from '../base/clock.ts';
import { configFiles } from '../ops/config-env.ts';
import { silentLog } from '../ops/log.ts';
import { dial } from '../rpc/dial.ts';
import {
  Health,
  HealthCheckResponse_ServingStatus as Status,
} from '../wire/gen/grpc/health/v1/health_pb.ts';
import { ServerReflection } from '../wire/gen/grpc/reflection/v1/reflection_pb.ts';
import { SpiffeWorkloadAPI } from '../wire/gen/spiffe/workload/workload_pb.ts';
import { type AgentConfig, loadAgentConfig } from './config.ts';
import { startAgent } from './start.ts';

/** An agent of the fake server's, from its configuration file on, with the machine's own clock and processes. */
async function place(more = '', plugins?: string) {
  const stack = new AsyncDisposableStack();
  const world = stack.use(await AgentWorld.create({ clock: systemClock }));
  const directory = await mkdtemp(join(tmpdir(), 'agent-start-'));
  stack.defer(() => rm(directory, { recursive: true }));
  const lines: LogLine[] = [];
  const configPath = join(directory, 'agent.conf');
  await writeFile(
    configPath,
    `agent {
       data_dir = "${directory}/data"
       server_address = "127.0.0.1"
       server_port = ${world.server.port}
       socket_path = "${directory}/public/api.sock"
       trust_bundle_path = "${world.directory}/bundle.pem"
       trust_domain = "fake.test"
       ${more}
     }
     plugins { ${
       plugins ??
       `NodeAttestor "join_token" {}
        KeyManager "disk" { plugin_data { directory = "${directory}/data" } }
        WorkloadAttestor "unix" {}`
     } }`,
  );
  const config = (joinToken: string) =>
    loadAgentConfig(
      { config: configPath, joinToken },
      { ...configFiles, cwd: directory, environment: {}, openLog: async () => silentLog },
    );
  return {
    world,
    directory,
    lines,
    config,
    start: (settings: AgentConfig, signal: AbortSignal = new AbortController().signal) =>
      startAgent(settings, {
        log: recordingLog(lines),
        logLevels: fixedLevels(),
        onSigusr1: noSignal,
        clock: systemClock,
        random: Math.random,
        environment: {},
        signal,
      }),
    dial: () => dial({ address: `unix:${directory}/public/api.sock` }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const headers = { 'workload.spiffe.io': 'true' };
const uid = process.getuid?.() ?? 0;

test('serves this very process by its uid, then stops, and starts again without attesting', async () => {
  await using here = await place();
  here.world.server.entries = [fakeEntry('me', [`unix:uid:${uid}`])];
  {
    await using _agent = await here.start(await here.config('token'));
    using channel = here.dial();
    const answers = channel.client(SpiffeWorkloadAPI).fetchX509SVID({}, { headers });
    for await (const { svids } of answers) {
      assert.deepEqual(
        svids.map(({ spiffeId }) => spiffeId),
        ['spiffe://fake.test/me'],
      );
      break;
    }
    const { mode } = await stat(join(here.directory, 'public/api.sock'));
    assert.equal(mode & 0o777, 0o777);
  }
  await assert.rejects(stat(join(here.directory, 'public/api.sock')), { code: 'ENOENT' });
  assert.ok(here.lines.some(({ message }) => message === 'Stopping agent APIs'));

  await using _again = await here.start(await here.config(''));
  assert.equal(here.world.server.countOf('AttestAgent'), 1);
  assert.deepEqual(
    Object.keys(
      JSON.parse(await readFile(join(here.directory, 'data/keys.json'), 'utf8')) as object,
    ),
    ['keys'],
  );
});

test('offers health and reflection beside the Workload API, without the header', async () => {
  await using here = await place();
  await using _agent = await here.start(await here.config('token'));
  using channel = here.dial();
  const health = channel.client(Health);
  assert.equal((await health.check({})).status, Status.SERVING);
  await assert.rejects(health.check({ service: 'SpiffeWorkloadAPI' }), {
    kind: 'invalid',
    message: 'per-service health is not supported',
  });
  async function* list() {
    yield { messageRequest: { case: 'listServices' as const, value: '' } };
  }
  for await (const { messageResponse } of channel
    .client(ServerReflection)
    .serverReflectionInfo(list())) {
    assert.equal(messageResponse.case, 'listServicesResponse');
    assert.deepEqual(
      messageResponse.case === 'listServicesResponse' &&
        messageResponse.value.service.map(({ name }) => name),
      [
        'SpiffeWorkloadAPI',
        'envoy.service.secret.v3.SecretDiscoveryService',
        'grpc.health.v1.Health',
        'grpc.reflection.v1.ServerReflection',
        'grpc.reflection.v1alpha.ServerReflection',
      ],
    );
  }
});

test('a request that is too large is refused, and the agent goes on', async () => {
  await using here = await place();
  await using _agent = await here.start(await here.config('token'));
  using channel = here.dial();
  const client = channel.client(SpiffeWorkloadAPI);
  await assert.rejects(
    client.validateJWTSVID({ audience: 'a', svid: 'x'.repeat(4 * 1024 * 1024) }, { headers }),
    { kind: 'exhausted' },
  );
  await assert.rejects(client.fetchJWTSVID({ audience: ['a'] }, { headers }), { kind: 'denied' });
});

test('with both APIs disabled there is no socket', async () => {
  await using here = await place('disable_workload_api = true disable_sds_api = true');
  await using _agent = await here.start(await here.config('token'));
  await assert.rejects(stat(join(here.directory, 'public')), { code: 'ENOENT' });
  assert.ok(
    here.lines.some(
      ({ message }) => message === 'Skipping agent APIs because public endpoint is disabled',
    ),
  );
});

test('with the Workload API disabled it is unknown, and the agent is healthy', async () => {
  await using here = await place('disable_workload_api = true');
  await using _agent = await here.start(await here.config('token'));
  using channel = here.dial();
  assert.equal((await channel.client(Health).check({})).status, Status.SERVING);
  await assert.rejects(channel.client(SpiffeWorkloadAPI).fetchJWTSVID({}), {
    kind: 'unimplemented',
  });
});

describe('a start that cannot be', () => {
  const long = `/tmp/${'x'.repeat(120)}/api.sock`;
  const kmAndWa = 'KeyManager "memory" {} WorkloadAttestor "unix" {}';
  const refusals: readonly [
    why: string,
    agent: string,
    plugins: string | undefined,
    message: string | RegExp,
  ][] = [
    [
      'a socket path that is too long',
      `socket_path = "${long}"`,
      undefined,
      `socket path is too long: ${long.length} bytes, 107 are possible: ${long}`,
    ],
    [
      'no node attestor',
      '',
      kmAndWa,
      'plugin type "NodeAttestor" constraint not satisfied: expected exactly 1 but got 0',
    ],
    [
      'no workload attestor',
      '',
      'KeyManager "memory" {} NodeAttestor "join_token" {}',
      'plugin type "WorkloadAttestor" constraint not satisfied: expected at least 1 but got 0',
    ],
    [
      'two key managers',
      '',
      'KeyManager "memory" {} KeyManager "disk" {} NodeAttestor "join_token" {} WorkloadAttestor "unix" {}',
      /^(plugin type "KeyManager" constraint not satisfied: expected exactly 1 but got 2|failed to configure plugin "disk": .*)$/,
    ],
    [
      'a plugin of a type that agents have not',
      '',
      `UpstreamAuthority "disk" {} NodeAttestor "join_token" {} ${kmAndWa}`,
      'unsupported plugin type "UpstreamAuthority"',
    ],
    [
      'a plugin that nobody knows',
      '',
      `NodeAttestor "none" {} ${kmAndWa}`,
      'failed to load plugin "none": no built-in plugin "none" for type "NodeAttestor"',
    ],
  ];
  for (const [why, agent, plugins, message] of refusals) {
    test(why, async () => {
      await using here = await place(agent, plugins);
      await assert.rejects(here.start(await here.config('token')), { message });
      assert.equal(here.world.server.calls.length, 0);
    });
  }

  test('a socket that another agent serves', async () => {
    await using here = await place();
    await using _first = await here.start(await here.config('token'));
    const calls = here.world.server.calls.length;
    await assert.rejects(here.start(await here.config('token')), {
      kind: 'failed-precondition',
      message: /another process is listening there/,
    });
    assert.equal(here.world.server.calls.length, calls);
    using channel = here.dial();
    assert.equal((await channel.client(Health).check({})).status, Status.SERVING);
  });

  test('what is not supported yet is refused, not passed over', async () => {
    await using here = await place('', 'WorkloadAttestor "k8s" {}');
    await assert.rejects(here.start(await here.config('token')), {
      kind: 'unimplemented',
      message: /WorkloadAttestor "k8s"/,
    });
  });

  test('a data file that is damaged', async () => {
    await using here = await place();
    await writeFile(join(here.directory, 'data'), 'not a folder');
    await assert.rejects(here.start(await here.config('token')), {
      message: /^failed to open storage: /,
    });
  });

  test('a stop while it attests', async () => {
    await using here = await place();
    const stopping = new AbortController();
    const start = here.start(await here.config('unknown token'), stopping.signal);
    await here.world.server.reached('AttestAgent', 1);
    stopping.abort(new Error('stopped'));
    await assert.rejects(start, { message: 'stopped' });
  });
});
