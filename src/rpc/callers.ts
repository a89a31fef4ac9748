import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptor,
  ServerListenerBuilder,
} from '@grpc/grpc-js';
import { CallSlots, type Slot } from './call-slots.ts';

/** Who makes a call: under the one object that both sides of grpc-js get to see. */
export type Callers<Peer> = WeakMap<Metadata, Caller<Peer>>;
export type Caller<Peer> = {
  readonly peer: Peer;
  readonly slots: CallSlots;
  /** The call's, once it has asked for one. */
  slot?: Slot;
};
/** The calls of one connection that are not over. */
export type OpenCalls = Set<object>;

/** Remembers whose connection a call came on, and which are open; gives a call's slot back when it is over. */
export function callerKeeper<Peer>(
  callers: Callers<Peer>,
  peer: Peer,
  open: OpenCalls,
): ServerInterceptor {
  const slots = new CallSlots();
  return (_method, call) => {
    const caller: Caller<Peer> = { peer, slots };
    open.add(caller);
    const over = () => {
      open.delete(caller);
      caller.slot?.release();
    };
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        callers.set(metadata, caller);
        next(metadata);
      })
      .withOnCancel(over)
      .build();
    return new ServerInterceptingCall(call, {
      start: (next) => {
        next(listener);
      },
      // Comes when the answer before it is out of our hands.
      sendStatus: (status, next) => {
        over();
        next(status);
      },
    });
  };
}
