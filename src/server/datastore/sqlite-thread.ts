import { Worker } from 'node:worker_threads';
import { Fault, reasonOf } from '../../base/fault.ts';
import { sqliteFault } from './sqlite-fault.ts';
import type { Opened, Opening, Outcome, Request, Statement } from './sqlite-messages.ts';

/** Rows pass through, they do not stay: a small nursery keeps the thread's memory low. */
const MAX_NURSERY_MEGABYTES = 4;

/** The main thread's end of the database thread. Statements run in the order of the calls. */
export class SqliteThread implements AsyncDisposable {
  /** Rejects when the thread is lost; never resolves. */
  readonly failed: Promise<never>;
  readonly #worker: Worker;
  #unsent: Statement[] = [];
  /** Whoever waits for an answer, in the order of the statements. */
  readonly #waiting: PromiseWithResolvers<Outcome>[] = [];
  #ended: Fault | undefined;
  #closing: Promise<void> | undefined;

  private constructor(worker: Worker) {
    this.#worker = worker;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {}); // told to every caller too; nobody need listen here
    this.failed = promise;
    const lost = (reason: string) => {
      if (this.#ended !== undefined) return;
      const fault = new Fault(
        'unavailable',
        `datastore-sql: the database thread has ended: ${reason}; restart the server`,
      );
      this.#end(fault);
      reject(fault);
    };
    worker.on('message', (outcomes: readonly Outcome[]) => this.#answer(outcomes));
    worker.on('messageerror', (error) => lost(reasonOf(error)));
    worker.on('error', (error) => lost(reasonOf(error)));
    worker.on('exit', (code) => {
      if (this.#closing === undefined) lost(`exit code ${code}`);
    });
  }

  /** Throws a Fault if the database cannot be opened. `url` is the thread's program. */
  static async open(
    { uri, busyTimeoutMilliseconds }: Opening,
    url: URL = workerUrl(),
  ): Promise<SqliteThread> {
    const worker = new Worker(url, {
      name: 'sqlite',
      workerData: { uri, busyTimeoutMilliseconds } satisfies Opening,
      resourceLimits: { maxYoungGenerationSizeMb: MAX_NURSERY_MEGABYTES },
    });
    const opened = await firstAnswer(worker);
    if (opened.kind === 'failed') throw sqliteFault(opened);
    return new SqliteThread(worker);
  }

  /** Never rejects for what the database says; rejects when the thread is closed or lost. */
  run(statement: Statement): Promise<Outcome> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    // A message costs more than most statements, so one carries all that is asked before the promises come to rest.
    if (this.#unsent.length === 0) process.nextTick(() => this.#send());
    this.#unsent.push(statement);
    const waiting = Promise.withResolvers<Outcome>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  /** Lets what was asked finish, then closes the database. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#ended !== undefined) {
      await this.#worker.terminate();
      return;
    }
    this.#send();
    const exited = new Promise<void>((resolve) => {
      this.#worker.once('exit', () => resolve());
    });
    this.#worker.postMessage('close' satisfies Request, []);
    await exited;
    this.#end(new Fault('unavailable', 'datastore-sql: the datastore is closed'));
  }

  #send(): void {
    if (this.#unsent.length === 0 || this.#ended !== undefined) return;
    const statements = this.#unsent;
    this.#unsent = [];
    this.#worker.postMessage(statements satisfies Request, []);
  }

  #answer(outcomes: readonly Outcome[]): void {
    const answered = this.#waiting.splice(0, outcomes.length);
    for (const [index, outcome] of outcomes.entries()) answered[index]?.resolve(outcome);
  }

  #end(fault: Fault): void {
    this.#ended = fault;
    this.#unsent = [];
    for (const waiting of this.#waiting.splice(0)) waiting.reject(fault);
  }
}

/** Throws where the thread ends before it has said how the opening went. */
async function firstAnswer(worker: Worker): Promise<Opened> {
  const { promise, resolve, reject } = Promise.withResolvers<Opened>();
  const failed = (error: unknown) => {
    const reason = `datastore-sql: the database thread does not start: ${reasonOf(error)}`;
    reject(new Fault('internal', reason, { cause: error }));
  };
  worker.once('message', resolve).once('error', failed);
  try {
    return await promise;
  } finally {
    worker.off('error', failed);
  }
}

/** The sources run as they are; in `dist/` the thread is an entry of its own, beside the programs and above `chunks/`. */
function workerUrl(): URL {
  const here = import.meta.url;
  if (here.endsWith('.ts')) return new URL('./sqlite-worker.ts', here);
  return new URL(here.includes('/chunks/') ? '../sqlite-worker.js' : './sqlite-worker.js', here);
}
