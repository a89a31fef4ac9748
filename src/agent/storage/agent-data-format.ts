import { Fault, wrapFault } from '../../base/fault.ts';
import { rfc3339 } from '../../base/rfc3339.ts';
import { readPem, writePem } from '../../crypto/pem.ts';
import { parseCertificate } from '../../crypto/x509/certificate.ts';
import type { AgentData, BootstrapState } from './agent-data.ts';

/** `agent-data.json`, byte for byte as SPIRE writes it (`reference/agent.md` §2.2). */
export const formatAgentData = ({ svid, bundle, reattestable, bootstrap }: AgentData): string =>
  JSON.stringify({
    svid: certificatesToJson(svid),
    bundle: certificatesToJson(bundle),
    reattestable,
    bootstrap_use: bootstrap.use === 'bootstrap' ? 1 : 2,
    bootstrap_start_time:
      bootstrap.startedAt === undefined
        ? ZERO_TIME
        : rfc3339(bootstrap.startedAt, { fraction: true }),
    connection_attempts: bootstrap.attempts,
  });

/** Throws 'invalid' with SPIRE's words; what it refuses must be looked at by a person. */
export function parseAgentData(text: string): AgentData {
  const json = parseObject(text);
  const bundle = certificatesFromJson(json, 'bundle');
  return {
    svid: certificatesFromJson(json, 'svid', 'SVID'),
    bundle,
    reattestable: member(json, 'reattestable', 'boolean', false),
    bootstrap: bootstrapFromJson(json, bundle.length > 0),
  };
}

/** Go's zero time. */
const ZERO_TIME = '0001-01-01T00:00:00Z';

type Json = Readonly<Record<string, unknown>>;

function parseObject(text: string): Json {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw wrapFault('failed to unmarshal data', error, 'invalid');
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw malformed('expected a JSON object');
  }
  return json as Json;
}

function bootstrapFromJson(json: Json, hasBundle: boolean): BootstrapState {
  const use = member(json, 'bootstrap_use', 'number', 0);
  const startTime = member(json, 'bootstrap_start_time', 'string', ZERO_TIME);
  const startedAt = Date.parse(startTime);
  if (Number.isNaN(startedAt)) throw malformed(`bootstrap_start_time "${startTime}" is no time`);
  const isRebootstrap = use === 2 || (use !== 1 && hasBundle);
  return {
    use: isRebootstrap ? 'rebootstrap' : 'bootstrap',
    startedAt: startTime === ZERO_TIME ? undefined : startedAt,
    attempts: member(json, 'connection_attempts', 'number', 0),
  };
}

type MemberTypes = { boolean: boolean; number: number; string: string };

function member<T extends keyof MemberTypes>(
  json: Json,
  name: string,
  type: T,
  otherwise: MemberTypes[T],
): MemberTypes[T] {
  const value = json[name] ?? otherwise;
  // oxlint-disable-next-line valid-typeof -- the type is one of three literals
  if (typeof value !== type) throw malformed(`${name} must be a ${type}`);
  return value as MemberTypes[T];
}

/** SPIRE says it twice where a member has the wrong type. */
const malformed = (why: string): Fault =>
  new Fault('invalid', `failed to unmarshal data: failed to unmarshal data: ${why}`);

const certificatesToJson = (certificates: readonly Uint8Array[]): string[] | null =>
  certificates.length === 0
    ? null
    : certificates.map((der) => Buffer.from(writePem('CERTIFICATE', der)).toString('base64'));

function certificatesFromJson(json: Json, name: string, spoken = name): Uint8Array[] {
  const list = json[name] ?? [];
  if (!Array.isArray(list)) throw malformed(`${name} must be an array`);
  return list.map((item: unknown) => {
    if (typeof item !== 'string') throw malformed(`${name} must hold strings`);
    try {
      return certificateFromPem(Buffer.from(item, 'base64'));
    } catch (error) {
      throw wrapFault(`failed to unmarshal data: failed to parse ${spoken}`, error, 'invalid');
    }
  });
}

function certificateFromPem(pem: Uint8Array): Uint8Array {
  const [block, ...others] = readPem(pem);
  if (block === undefined) throw new Fault('invalid', 'no PEM blocks');
  if (block.type !== 'CERTIFICATE' || others.length > 0) {
    throw new Fault('invalid', `expected block type "CERTIFICATE"; got "${block.type}"`);
  }
  parseCertificate(block.der);
  return block.der;
}
