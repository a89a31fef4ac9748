import { goQuote } from '../../base/go-quote.ts';
import { codes } from '../../rpc/status.ts';
import type { Status } from '../../wire/gen/spire/api/types/status_pb.ts';

/** What became of one item of a batch; an answer without a status counts as good, as 0 does. */
type ItemStatus = Pick<Status, 'code' | 'message'> | undefined;

export const isOk = (status: ItemStatus): boolean => (status?.code ?? 0) === 0;

/** `(code: NotFound, msg: "entry not found")` */
export const statusText = (status: ItemStatus): string =>
  `(code: ${codeText(status?.code ?? 0)}, msg: ${goQuote(status?.message ?? '')})`;

/** Codes that no Fault has. */
const OTHER_NAMES: Readonly<Record<number, string | undefined>> = { 0: 'OK', 15: 'DataLoss' };

function codeText(code: number): string {
  const row = Object.values(codes).find((candidate) => candidate.code === code);
  return row?.name ?? OTHER_NAMES[code] ?? `Code(${code})`;
}
