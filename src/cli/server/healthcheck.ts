import { Health } from '../../wire/gen/grpc/health/v1/health_pb.ts';
import { checkHealth } from '../kit/check-health.ts';
import { flag } from '../kit/flag.ts';
import { prefixed } from '../kit/prefixed.ts';
import { plainServerCommand } from '../kit/server-command.ts';

export const healthcheck = plainServerCommand({
  name: 'healthcheck',
  flags: {
    shallow: flag.bool('Accepted for compatibility; has no effect'),
    verbose: flag.bool('Say what is being done and why it failed'),
  },
  services: { health: Health },
  async run({ verbose }, { api, out }) {
    if (verbose) out.write('Checking server health...\n');
    await checkHealth('server', api.health, out, verbose).catch(prefixed('server is unhealthy'));
    out.write('Server is healthy.\n');
  },
});
