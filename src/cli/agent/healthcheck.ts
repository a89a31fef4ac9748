import { Health } from '../../wire/gen/grpc/health/v1/health_pb.ts';
import { openApi } from '../kit/api.ts';
import { checkHealth } from '../kit/check-health.ts';
import { makeCommand } from '../kit/command.ts';
import { flag } from '../kit/flag.ts';
import { createOut } from '../kit/out.ts';
import { dialWorkloadApi, workloadEndpointFlags } from '../kit/workload-command.ts';

export const healthcheck = makeCommand({
  name: 'healthcheck',
  usageTitle: 'health',
  flags: {
    shallow: flag.bool('Accepted for compatibility; has no effect'),
    verbose: flag.bool('Say what is being done and why it failed'),
  },
  sharedFlags: workloadEndpointFlags,
  kind: {
    helpText: '',
    flagFailure: () => '',
    failure: (reason) => `Agent is unhealthy: ${reason}\n`,
  },
  async run({ verbose }, socket, env) {
    const out = createOut(env);
    if (verbose) out.write('Checking agent health...\n');
    using channel = await dialWorkloadApi(socket, env);
    const { health } = openApi(channel, { health: Health });
    await checkHealth('agent', health, out, verbose);
    out.write('Agent is healthy.\n');
  },
});
