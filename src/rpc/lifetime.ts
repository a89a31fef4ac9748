import { Fault } from '../base/fault.ts';

/** How long a call lasts. */
export type Lifetime = {
  readonly signal: AbortSignal;
  /** Why the call is over, as far as it is. */
  readonly over: Fault | undefined;
  end(): void;
};

/** The call's AbortSignal, made only for those who ask for it. */
export function lifetimeOf(call: EndingCall, stopping: AbortSignal): Lifetime {
  let over: Fault | undefined;
  let controller: AbortController | undefined;
  const cut = (fault: Fault) => {
    over ??= fault;
    controller?.abort(over);
  };
  const cancelled = () => {
    const deadline = Number(call.getDeadline());
    cut(
      deadline <= Date.now()
        ? new Fault('deadline', 'context deadline exceeded')
        : new Fault('canceled', 'context canceled'),
    );
  };
  const stopped = () => {
    cut(stopping.reason as Fault);
  };
  call.once('cancelled', cancelled);
  let listens = false;
  return {
    get signal() {
      if (controller === undefined) {
        controller = new AbortController();
        if (stopping.aborted) stopped();
        else {
          stopping.addEventListener('abort', stopped, { once: true });
          listens = true;
        }
        if (over !== undefined) controller.abort(over);
      }
      return controller.signal;
    },
    get over() {
      return over ?? (stopping.aborted ? (stopping.reason as Fault) : undefined);
    },
    end() {
      call.removeListener('cancelled', cancelled);
      if (listens) stopping.removeEventListener('abort', stopped);
    },
  };
}

/** As much of grpc-js' call as is looked at. */
type EndingCall = {
  getDeadline(): Date | number;
  once(event: 'cancelled', listener: () => void): unknown;
  removeListener(event: 'cancelled', listener: () => void): unknown;
};
