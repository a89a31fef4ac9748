import { Fault } from '../../base/fault.ts';
import {
  Explain,
  ExplainProcessResponseSchema,
} from '../../wire/gen/steeple/agent/explain/v1/explain_pb.ts';
import { adminCommand } from '../kit/admin-command.ts';
import { flag } from '../kit/flag.ts';
import { int32 } from '../kit/int32.ts';
import { explanationText } from './explanation-text.ts';

export const explain = adminCommand({
  name: 'explain',
  flags: { pid: flag.int('The process, as the agent’s PID namespace numbers it') },
  services: { explain: Explain },
  async run({ pid }, { api, out, clock }) {
    if (pid === 0n) throw new Fault('invalid', 'a process must be named (-pid)');
    const answer = await api.explain.explainProcess({ pid: int32('pid', pid) });
    out.print(ExplainProcessResponseSchema, answer, (message) =>
      explanationText(message, clock.now()),
    );
  },
});
