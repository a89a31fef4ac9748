import type { FaultKind } from '../base/fault.ts';

/** What each kind of failure is called as a gRPC status, in Go's spelling, which scripts and dashboards read. */
export const statusNames = {
  canceled: 'Canceled',
  unknown: 'Unknown',
  invalid: 'InvalidArgument',
  deadline: 'DeadlineExceeded',
  'not-found': 'NotFound',
  'already-exists': 'AlreadyExists',
  denied: 'PermissionDenied',
  exhausted: 'ResourceExhausted',
  'failed-precondition': 'FailedPrecondition',
  aborted: 'Aborted',
  'out-of-range': 'OutOfRange',
  unimplemented: 'Unimplemented',
  internal: 'Internal',
  unavailable: 'Unavailable',
  unauthenticated: 'Unauthenticated',
} satisfies Record<FaultKind, string>;

/** The status of what went well. */
export const STATUS_OK = 'OK';
