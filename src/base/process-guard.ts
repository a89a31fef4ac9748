import { Fault } from './fault.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Options of Node that open a debugger or write what is in memory or on the wire where others may read it. */
const UNSAFE_OPTIONS =
  /^--(inspect|debug|heapsnapshot-signal|heapsnapshot-near-heap-limit|heap-prof|tls-keylog)([-=]|$)/;

/**
 * Refuses to run a server or an agent in a process whose keys a debugger could read, or whose TLS would believe
 * anyone. `execArgv` are Node's own options, as `process.execArgv` has them. Throws 'failed-precondition'.
 */
export function refuseUnsafeRuntime(execArgv: readonly string[], environment: Environment): void {
  const option = [...execArgv, ...optionsOf(environment)].find((each) => UNSAFE_OPTIONS.test(each));
  if (option !== undefined) {
    throw new Fault(
      'failed-precondition',
      `refusing to run with ${option}: keys could be read from this process; remove it (NODE_OPTIONS is read too)`,
    );
  }
  if (environment['NODE_TLS_REJECT_UNAUTHORIZED'] === '0') {
    throw new Fault(
      'failed-precondition',
      'refusing to run with NODE_TLS_REJECT_UNAUTHORIZED=0: TLS would accept any certificate; unset it',
    );
  }
}

/** As Node splits `NODE_OPTIONS`: at spaces; double quotes keep them, and a backslash inside quotes escapes. */
function optionsOf(environment: Environment): readonly string[] {
  const text = environment['NODE_OPTIONS'] ?? '';
  const words = text.match(/(?:"(?:\\.|[^"\\])*"?|[^\s"])+/g) ?? [];
  return words.map((word) => word.replaceAll('"', '').replaceAll('_', '-'));
}
