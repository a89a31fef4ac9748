import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { anyPack, anyUnpack } from '@bufbuild/protobuf/wkt';
import { type DenialReason, Fault, type FaultKind, kindOf, reasonOf } from '../base/fault.ts';
import { statusNames } from '../ops/status-names.ts';
import { StatusSchema as RpcStatusSchema } from '../wire/gen/google/rpc/status_pb.ts';
import {
  PermissionDeniedDetailsSchema,
  PermissionDeniedDetails_Reason as Reason,
} from '../wire/gen/spire/api/types/status_pb.ts';

type CodeRow = { readonly code: number; readonly name: string };

/** One gRPC status code for each kind of failure, with its name. */
export const codes = {
  canceled: { code: 1, name: statusNames.canceled },
  unknown: { code: 2, name: statusNames.unknown },
  invalid: { code: 3, name: statusNames.invalid },
  deadline: { code: 4, name: statusNames.deadline },
  'not-found': { code: 5, name: statusNames['not-found'] },
  'already-exists': { code: 6, name: statusNames['already-exists'] },
  denied: { code: 7, name: statusNames.denied },
  exhausted: { code: 8, name: statusNames.exhausted },
  'failed-precondition': { code: 9, name: statusNames['failed-precondition'] },
  aborted: { code: 10, name: statusNames.aborted },
  'out-of-range': { code: 11, name: statusNames['out-of-range'] },
  unimplemented: { code: 12, name: statusNames.unimplemented },
  internal: { code: 13, name: statusNames.internal },
  unavailable: { code: 14, name: statusNames.unavailable },
  unauthenticated: { code: 16, name: statusNames.unauthenticated },
} satisfies Record<FaultKind, CodeRow>;

const kindsByCode = new Map(
  Object.entries(codes).map(([kind, { code }]) => [code, kind as FaultKind]),
);

const reasons = {
  expired: Reason.AGENT_EXPIRED,
  'not-attested': Reason.AGENT_NOT_ATTESTED,
  'not-active': Reason.AGENT_NOT_ACTIVE,
  banned: Reason.AGENT_BANNED,
  'must-reattest': Reason.AGENT_MUST_REATTEST,
} satisfies Record<DenialReason, Reason>;

const denialsByReason = new Map(
  Object.entries(reasons).map(([denial, reason]) => [reason as number, denial as DenialReason]),
);

/** The status code of anything thrown; what is not a Fault is Unknown. */
export const codeOf = (thrown: unknown): number => codes[kindOf(thrown)].code;

/** The code's name as Go prints it: `InvalidArgument`. */
export const codeName = (kind: FaultKind): string => codes[kind].name;

/** What SPIRE's commands print of a failed call. */
export const rpcErrorText = (thrown: unknown): string =>
  `rpc error: code = ${codeName(kindOf(thrown))} desc = ${reasonOf(thrown)}`;

/** The kind for a status code; codes that nobody uses here (DataLoss, unassigned ones) are Unknown. */
export const kindOfCode = (code: number): FaultKind => kindsByCode.get(code) ?? 'unknown';

/** The fields of `spire.api.types.Status`, one per item in the answers of batch calls. */
export const protoStatus = (thrown: unknown): { code: number; message: string } => ({
  code: codeOf(thrown),
  message: reasonOf(thrown),
});

/** `spire.api.types.Status` of an item that went well. */
export const okStatus = { code: 0, message: 'OK' } as const;

/** The bytes of `grpc-status-details-bin` where a denial has a reason. */
export function statusDetails(thrown: unknown): Uint8Array | undefined {
  if (!(thrown instanceof Fault) || thrown.denial === undefined) return undefined;
  const details = create(PermissionDeniedDetailsSchema, { reason: reasons[thrown.denial] });
  return toBinary(
    RpcStatusSchema,
    create(RpcStatusSchema, {
      code: codeOf(thrown),
      message: thrown.message,
      details: [anyPack(PermissionDeniedDetailsSchema, details)],
    }),
  );
}

/** The reason in `grpc-status-details-bin`, or undefined if it holds none. Never throws: a peer's bytes. */
export function denialFromDetails(bytes: Uint8Array): DenialReason | undefined {
  try {
    for (const detail of fromBinary(RpcStatusSchema, bytes).details) {
      const denied = anyUnpack(detail, PermissionDeniedDetailsSchema);
      if (denied !== undefined) return denialsByReason.get(denied.reason);
    }
  } catch {
    // Details are an extra; the status itself is what counts.
  }
  return undefined;
}
