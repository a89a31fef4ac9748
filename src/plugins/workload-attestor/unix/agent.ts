import { Fault } from '../../../base/fault.ts';
import { PROC } from '../../../base/proc.ts';
import { definePlugin } from '../../../catalog/plugin.ts';
import type { WorkloadAttestorEnv } from '../builtins.ts';
import type { WorkloadAttestor } from '../contract.ts';
import { namedWorkloadAttestor } from '../named-workload-attestor.ts';
import { createNameFile } from './name-file.ts';
import { createUnixAttestor } from './unix-attestor.ts';

export const plugin = definePlugin<WorkloadAttestorEnv, WorkloadAttestor>({
  name: 'unix',
  takesData: true,
  async configure(settings, { environment }) {
    if (process.platform === 'win32') {
      throw new Fault('unimplemented', 'plugin not supported in this platform');
    }
    const discoverPath = settings.bool('discover_workload_path');
    const sizeLimit = settings.int('workload_size_limit');
    settings.throwIfWrong((reason) => `failed to decode configuration: ${reason}`);
    return namedWorkloadAttestor(
      createUnixAttestor({
        discoverPath,
        sizeLimit,
        proc: environment['HOST_PROC'] || PROC,
        users: createNameFile('/etc/passwd', { fields: 7 }),
        groups: createNameFile('/etc/group', { fields: 4 }),
      }),
    );
  },
});
