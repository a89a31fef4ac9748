import { Fault, kindOf, reasonOf } from '../../base/fault.ts';
import type { LogFields } from '../../ops/log.ts';
import { protoStatus } from '../../rpc/status.ts';
import type { Call } from './call.ts';
import { logRefusal } from './refusal.ts';

export type ItemStatus = { readonly code: number; readonly message: string };

/** One item of a batch call, as its handler sees it. */
export type BatchItem = {
  /** Adds fields to the item's audit record. */
  audit(fields: LogFields): void;
  /** Tells log and audit record that the item is refused, and returns its status. */
  refused(thrown: unknown): ItemStatus;
};

export type BatchOptions<Item, Result> = {
  readonly act: (item: Item, batch: BatchItem) => Promise<Result>;
  /** The result of an item whose handler threw. */
  readonly refused: (item: Item, status: ItemStatus) => Result;
  /** How many items are handled at once: one after the other by default, as each may write. */
  readonly atOnce?: number;
};

/** Handles items, each by itself: one that fails never fails the call (`reference/server.md` §14.1). */
export async function answerEach<Item, Result>(
  call: Pick<Call, 'auditItems' | 'log'>,
  items: readonly Item[],
  { act, refused, atOnce = 1 }: BatchOptions<Item, Result>,
): Promise<Result[]> {
  const record = inOrder(call.auditItems());
  const results: Result[] = [];
  const answer = async (index: number, item: Item) => {
    let fields: LogFields = {};
    let refusal: Fault | undefined;
    const batch: BatchItem = {
      audit: (more) => {
        fields = { ...fields, ...more };
      },
      refused: (thrown) => {
        logRefusal(call.log, thrown, fields);
        refusal = asFault(thrown);
        return protoStatus(thrown);
      },
    };
    try {
      results[index] = await act(item, batch);
    } catch (thrown) {
      results[index] = refused(item, batch.refused(thrown));
    }
    record(index, fields, refusal);
  };
  // Workers share one iterator, so that each item is taken once.
  const queue = items.entries();
  const work = async () => {
    for (const [index, item] of queue) await answer(index, item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work));
  return results;
}

const asFault = (thrown: unknown): Fault =>
  thrown instanceof Fault ? thrown : new Fault(kindOf(thrown), reasonOf(thrown));

/** Writes each record as soon as all before it are written, whatever finishes first. */
function inOrder<Args extends readonly unknown[]>(write: (...args: Args) => void) {
  const waiting = new Map<number, Args>();
  let next = 0;
  return (index: number, ...args: Args): void => {
    waiting.set(index, args);
    for (let ready = waiting.get(next); ready !== undefined; ready = waiting.get(next)) {
      waiting.delete(next);
      next += 1;
      write(...ready);
    }
  };
}
