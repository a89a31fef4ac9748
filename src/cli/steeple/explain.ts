import { Fault, type FaultKind, kindOf, reasonOf } from '../../base/fault.ts';
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
    const answer = await api.explain.explainProcess({ pid: int32('pid', pid) }).catch(withWayOut);
    out.print(ExplainProcessResponseSchema, answer, (message) =>
      explanationText(message, clock.now()),
    );
  },
});

/** What whoever asked in vain can do. */
const waysOut: Partial<Record<FaultKind, string>> = {
  'not-found': 'If it has ended: ask for one that runs, of the same user and program.',
  unavailable:
    'The agent must be running, with admin_socket_path in its configuration; name that path with -socketPath.',
  unimplemented:
    'That is no admin socket of a Steeple agent: name the path of admin_socket_path with -socketPath.',
};

/** In the words of dialling. */
const MAY_NOT_ENTER = /permission denied/;

function withWayOut(error: unknown): never {
  const wayOut = MAY_NOT_ENTER.test(reasonOf(error))
    ? "Only the agent's user and group may ask there."
    : waysOut[kindOf(error)];
  if (wayOut === undefined) throw error;
  throw new Fault(kindOf(error), `${reasonOf(error)}\n${wayOut}`, { cause: error });
}
