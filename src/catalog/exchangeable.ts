/** A contract whose implementation can be exchanged while others use it. */
export interface Exchangeable<Contract> {
  /** Stays the same; each call goes to the implementation of that moment. Ending it ends all of them. */
  readonly contract: Contract;
  /** Calls from now on go to `next`; the former implementation is ended as the options say. */
  exchange(next: Contract): void;
}

export type ExchangeOptions = {
  /** What it answered goes on after the call: a former implementation lives as long as the contract. */
  readonly answersLiveOn: boolean;
  /** Told where a former implementation could not be ended. */
  readonly onFailure: (error: unknown) => void;
  /** Stands around the end of the contract. */
  readonly ending: (end: () => Promise<void>) => Promise<void>;
};

type Method = (...args: never[]) => unknown;

type Implementation<Contract> = {
  readonly value: Contract;
  /** Calls under way, streams that are still read included. */
  calls: number;
};

export function exchangeable<Contract extends AsyncDisposable>(
  initial: Contract,
  { answersLiveOn, onFailure, ending }: ExchangeOptions,
): Exchangeable<Contract> {
  let current: Implementation<Contract> = { value: initial, calls: 0 };
  const former = new Set<Implementation<Contract>>();

  const endIfIdle = (implementation: Implementation<Contract>): void => {
    if (answersLiveOn || implementation.calls > 0 || !former.delete(implementation)) return;
    implementation.value[Symbol.asyncDispose]().then(undefined, onFailure);
  };
  /** Finds the implementation when it is called: the function may have been taken out long before. */
  const callNow =
    (name: string | symbol) =>
    (...args: never[]): unknown => {
      const implementation = current;
      implementation.calls++;
      return whenOver(
        () => (Reflect.get(implementation.value, name) as Method).apply(implementation.value, args),
        () => {
          implementation.calls--;
          endIfIdle(implementation);
        },
      );
    };
  const endAll = async (): Promise<void> => {
    const all = [...former, current];
    former.clear();
    const ended = await Promise.allSettled(all.map(({ value }) => value[Symbol.asyncDispose]()));
    const failed = ended.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  };
  const member = (name: string | symbol): unknown => {
    if (name === Symbol.asyncDispose) return () => ending(endAll);
    const value: unknown = Reflect.get(current.value, name);
    return typeof value === 'function' ? callNow(name) : value;
  };
  return {
    contract: new Proxy({} as Contract, {
      get: (_, name) => member(name),
      has: (_, name) => Reflect.has(current.value, name),
      ownKeys: () => Reflect.ownKeys(current.value),
      getOwnPropertyDescriptor: (_, name) =>
        Object.hasOwn(current.value, name)
          ? { configurable: true, enumerable: true, value: member(name) }
          : undefined,
    }),
    exchange(next) {
      const before = current;
      current = { value: next, calls: 0 };
      former.add(before);
      endIfIdle(before);
    },
  };
}

/** Calls, and says when that call is over: when it returns, or its promise settles, or its stream has ended. */
function whenOver(call: () => unknown, over: () => void): unknown {
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    over();
    throw error;
  }
  if (result instanceof Promise) return result.finally(over);
  if (isStream(result)) return streamUntil(result, over);
  over();
  return result;
}

const isStream = (value: unknown): value is AsyncIterable<unknown> =>
  typeof value === 'object' && value !== null && Symbol.asyncIterator in value;

async function* streamUntil(stream: AsyncIterable<unknown>, over: () => void) {
  try {
    yield* stream;
  } finally {
    over();
  }
}
