import { unixSeconds } from '../../../base/clock.ts';
import { Fault, kindOf, reasonOf } from '../../../base/fault.ts';
import { TrustDomain } from '../../../spiffe/trust-domain.ts';
import {
  SpiffeWorkloadAPI,
  type X509SVIDResponse,
} from '../../../wire/gen/spiffe/workload/workload_pb.ts';
import { type WorkloadCall, workloadStreamCommand } from '../../kit/workload-command.ts';
import { x509Report } from './x509-report.ts';
import { readX509Update, type X509Update } from './x509-update.ts';

const services = { workload: SpiffeWorkloadAPI };
type Call = WorkloadCall<typeof services>;

const STEP_MILLISECONDS = 1000;
const MAX_WAIT_MILLISECONDS = 30_000;

/** Prints every update until it is interrupted, or told that it does something wrong. */
export const apiWatch = workloadStreamCommand({
  name: 'api watch',
  usageTitle: 'watch',
  flags: {},
  services,
  async run(_flags, call) {
    const interrupted = new AbortController();
    using _ = call.signals.on(['SIGINT'], () => {
      interrupted.abort(new Fault('canceled', 'context canceled'));
    });
    await watch(call, interrupted.signal);
  },
});

/** Never returns: what ends it is thrown. */
async function watch(call: Call, signal: AbortSignal): Promise<never> {
  const { clock, out, api } = call;
  let lastUpdate = clock.now();
  let failures = 0;
  for (;;) {
    try {
      for await (const response of api.workload.fetchX509SVID({}, { signal })) {
        failures = 0;
        const elapsed = clock.now() - lastUpdate;
        lastUpdate = clock.now();
        await report(response, elapsed, call);
      }
      throw new Fault('unknown', 'EOF');
    } catch (error) {
      out.remark(`${reasonOf(error)}\n`);
      if (isFinal(error)) throw error;
    }
    failures++;
    await clock.sleep(Math.min(failures * STEP_MILLISECONDS, MAX_WAIT_MILLISECONDS), signal);
  }
}

const isFinal = (error: unknown): boolean => ['canceled', 'invalid'].includes(kindOf(error));

/** An update that cannot be read is told, and the next one awaited. */
async function report(
  response: X509SVIDResponse,
  elapsed: number,
  { clock, out }: Pick<Call, 'clock' | 'out'>,
): Promise<void> {
  try {
    const update = await readX509Update(response, unixSeconds(clock));
    out.write(x509Report(plain(update), elapsed));
  } catch (error) {
    out.remark(`${reasonOf(error)}\n`);
  }
}

/** Without hints, and with bare names of trust domains, as the library prints them that SPIRE uses here. */
const plain = ({ svids, federated }: X509Update): X509Update => ({
  svids: svids.map((svid) => ({ ...svid, hint: '' })),
  federated: new Map(
    [...federated].map(([domain, roots]) => [TrustDomain.parse(domain).name, roots]),
  ),
});
