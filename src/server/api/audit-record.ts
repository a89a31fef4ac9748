import type { Fault, FaultKind } from '../../base/fault.ts';
import type { Log, LogFields, LogForms } from '../../ops/log.ts';
import { codes } from '../../rpc/status.ts';

/** What the audit log says of one call (`reference/server.md` §5.7). */
export interface AuditRecord {
  add(fields: LogFields): void;
  /** The call has a record for each item: when it goes well there is no other. */
  items(): (fields: LogFields, refusal?: Fault) => void;
  succeeded(): void;
  failed(refusal: Fault): void;
}

export function createAuditRecord(log: Log, { ofSuccess }: { ofSuccess: boolean }): AuditRecord {
  let fields: LogFields = {};
  let hasItems = false;
  const write = (what: LogFields, refusal?: Fault) => {
    log.info('API accessed', { type: 'audit', ...outcome(refusal), ...what });
  };
  return {
    add(more) {
      fields = { ...fields, ...more };
    },
    items() {
      hasItems = true;
      return write;
    },
    succeeded() {
      if (ofSuccess && !hasItems) write(fields);
    },
    failed(refusal) {
      write(fields, refusal);
    },
  };
}

/** For servers without `audit_log_enabled`. */
export const noAuditRecord: AuditRecord = {
  add() {},
  items: () => () => {},
  succeeded() {},
  failed() {},
};

const outcome = (refusal: Fault | undefined): LogFields =>
  refusal === undefined
    ? { status: 'success' }
    : {
        status: 'error',
        status_code: statusCode(refusal.kind),
        status_message: refusal.message,
      };

function statusCode(kind: FaultKind): LogForms {
  const { name, code } = codes[kind];
  return { text: name, json: code };
}
