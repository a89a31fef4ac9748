import { create, type DescMessage, type Message } from '@bufbuild/protobuf';
import { Fault, reasonOf, wrapFault } from '../../base/fault.ts';
import { readFileBounded } from '../../base/files.ts';
import { goFileError } from '../../base/go-file-error.ts';
import { methodPath } from '../../rpc/service.ts';
import { Health } from '../../wire/gen/grpc/health/v1/health_pb.ts';
import { Agent } from '../../wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Entry } from '../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import type { Permission } from '../api/authorization.ts';
import { type CompiledPolicy, loadCompiledPolicy } from './compiled-policy.ts';
import { goJson } from './go-json.ts';

/** `experimental.auth_opa_policy_engine.local`. */
export type PolicySettings = {
  readonly wasmPath: string;
  /** undefined: there is none. */
  readonly dataPath: string | undefined;
};

/** What a policy is asked about. */
export type PolicyQuestion = {
  /** The caller's SPIFFE ID; empty for callers of this machine and for strangers. */
  readonly caller: string;
  /** The program of a local caller, where the audit log names it. */
  readonly callerFilePath: string | undefined;
  /** `/package.Service/Method`. */
  readonly fullMethod: string;
  /** undefined: the method streams its requests. */
  readonly request: { readonly schema: DescMessage; readonly message: Message } | undefined;
};

/** Who may make that very call. Throws 'unknown' where the policy does not say. */
export type Policy = (question: PolicyQuestion) => Permission;

/** Far above any policy and what it knows of. */
const MAX_FILE_BYTES = 16 * 1024 * 1024;

const NO_DATA = Buffer.from('{}');

/**
 * Reads the files of a policy and tries it on sample calls (`reference/server.md` §5.5); they are read this once. Throws
 * with SPIRE's words where there are some.
 */
export async function openPolicy({ wasmPath, dataPath }: PolicySettings): Promise<Policy> {
  const wasm = await read(wasmPath);
  const data = dataPath === undefined ? NO_DATA : await read(dataPath);
  checkData(data);
  const compiled = await loadCompiledPolicy(wasm, data);
  const policy: Policy = (question) => permissionOf(evaluate(compiled, question));
  try {
    for (const sample of samples()) policy(sample);
  } catch (error) {
    throw wrapFault(
      'authpolicy engine failed to validate on sample test inputs: policy is misconfigured',
      error,
    );
  }
  return policy;
}

const read = (path: string): Promise<Uint8Array> =>
  readFileBounded(path, MAX_FILE_BYTES).catch((error: unknown) => {
    throw goFileError('open', path, error);
  });

function checkData(data: Uint8Array): void {
  try {
    JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
  } catch (error) {
    throw new Fault('invalid', `error decoding JSON databindings: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

function evaluate(compiled: CompiledPolicy, question: PolicyQuestion): unknown {
  const { caller, callerFilePath, fullMethod, request } = question;
  const input = {
    caller,
    ...(callerFilePath !== undefined && { caller_file_path: callerFilePath }),
    full_method: fullMethod,
    req: request === undefined ? null : goJson(request.schema, request.message),
  };
  return compiled.evaluate(JSON.stringify(input));
}

/** What each member of the result permits, in the order in which SPIRE looks for them. */
const members = [
  ['allow', 'anyone'],
  ['allow_if_admin', 'admin'],
  ['allow_if_local', 'local'],
  ['allow_if_downstream', 'downstream'],
  ['allow_if_agent', 'agent'],
] as const satisfies readonly (readonly [member: string, permission: keyof Permission])[];

function permissionOf(result: unknown): Permission {
  if (result === undefined) throw new Fault('unknown', 'policy: no matching policies found');
  if (typeof result !== 'object' || result === null || Array.isArray(result)) {
    throw new Fault('unknown', 'unexpected type in evaluating policy result expression');
  }
  const values = new Map<string, unknown>(Object.entries(result));
  const given = members.map(([member, permission]) => {
    const value = values.get(member);
    if (typeof value === 'boolean') return value ? { [permission]: true as const } : {};
    throw new Fault('unknown', `policy: result did not contain "${member}" bool value`);
  });
  return Object.assign({}, ...given) as Permission;
}

const SOMEONE = 'spiffe://example.org/someid';

/** Calls of several kinds; what a policy says of them does not matter, only that it says something. */
function samples(): readonly PolicyQuestion[] {
  const question = (
    method: Parameters<typeof methodPath>[0],
    caller: string,
    request = method.methodKind === 'unary'
      ? { schema: method.input, message: create(method.input) }
      : undefined,
  ): PolicyQuestion => ({
    caller,
    callerFilePath: undefined,
    fullMethod: methodPath(method),
    request,
  });
  return [
    question(Bundle.method.getBundle, ''),
    question(Health.method.check, ''),
    question(Agent.method.createJoinToken, ''),
    question(Agent.method.attestAgent, ''),
    question(Entry.method.batchCreateEntry, ''),
    question(Entry.method.batchCreateEntry, SOMEONE),
    question(Entry.method.listEntries, ''),
    question(Entry.method.listEntries, SOMEONE),
  ];
}
