/** What waits to be sent; more is dropped, oldest first: what happens now tells more. */
const MAX_WAITING = 4096;
/** So many are sent at once, and as soon as there are so many. */
const MAX_BATCH = 512;
/** Otherwise so often. */
const INTERVAL_MILLISECONDS = 5_000;

export type BatchesOptions<T> = {
  /** Never rejects. */
  readonly send: (batch: readonly T[]) => Promise<void>;
  readonly onDropped: (count: number) => void;
};

/** Collects items and sends them in batches, one batch at a time. */
export interface Batches<T> {
  add(item: T): void;
  /** Sends what is there. */
  flush(): Promise<void>;
}

export function createBatches<T>({ send, onDropped }: BatchesOptions<T>): Batches<T> {
  const waiting: T[] = [];
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | undefined;

  const drain = async (): Promise<void> => {
    while (waiting.length > 0) await send(waiting.splice(0, MAX_BATCH));
  };
  const flush = (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    sending ??= drain().finally(() => {
      sending = undefined;
    });
    return sending;
  };
  return {
    add(item) {
      if (waiting.length >= MAX_WAITING) {
        waiting.splice(0, MAX_BATCH);
        onDropped(MAX_BATCH);
      }
      waiting.push(item);
      if (waiting.length >= MAX_BATCH) void flush();
      else timer ??= setTimeout(() => void flush(), INTERVAL_MILLISECONDS).unref();
    },
    flush,
  };
}
