type Line = { running: number; readonly waiting: Set<() => void> };

/** Lets so many jobs run at once for each key; the others wait for their turn, first come, first served. */
export class Turns {
  readonly #max: number;
  /** Of those keys for which something runs. */
  readonly #lines = new Map<number, Line>();

  constructor(max: number) {
    this.#max = max;
  }

  /** Rejects with the signal's reason if it aborts before the turn has come; the turn then goes to the next. */
  async run<T>(key: number, job: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const line = this.#lineOf(key);
    if (line.running < this.#max) line.running++;
    else await turnOf(line, signal);
    try {
      return await job();
    } finally {
      this.#pass(key, line);
    }
  }

  get size(): number {
    return this.#lines.size;
  }

  #lineOf(key: number): Line {
    const known = this.#lines.get(key);
    if (known !== undefined) return known;
    const line = { running: 0, waiting: new Set<() => void>() };
    this.#lines.set(key, line);
    return line;
  }

  /** The next one takes the place over, so that nobody who comes just now gets in between. */
  #pass(key: number, line: Line): void {
    const [next] = line.waiting;
    if (next !== undefined) {
      line.waiting.delete(next);
      next();
      return;
    }
    line.running--;
    if (line.running === 0) this.#lines.delete(key);
  }
}

async function turnOf({ waiting }: Line, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const come = () => {
    resolve();
  };
  const leave = () => {
    if (waiting.delete(come)) reject(signal.reason as Error); // otherwise its turn has come already
  };
  waiting.add(come);
  signal.addEventListener('abort', leave, { once: true });
  try {
    await promise;
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
