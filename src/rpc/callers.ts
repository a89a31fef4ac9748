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

/** Remembers whose connection a call came on, and gives its slot back when it is over. */
export function callerKeeper<Peer>(callers: Callers<Peer>, peer: Peer): ServerInterceptor {
  const slots = new CallSlots();
  return (_method, call) => {
    const caller: Caller<Peer> = { peer, slots };
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        callers.set(metadata, caller);
        next(metadata);
      })
      .withOnCancel(() => {
        caller.slot?.release();
      })
      .build();
    return new ServerInterceptingCall(call, {
      start: (next) => {
        next(listener);
      },
      // Comes when the answer before it is out of our hands.
      sendStatus: (status, next) => {
        caller.slot?.release();
        next(status);
      },
    });
  };
}
