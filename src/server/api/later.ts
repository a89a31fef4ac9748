import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { Fault } from '../../base/fault.ts';
import { type BoundService, methodPath } from '../../rpc/service.ts';
import type { Call } from './call.ts';
import { PlainFault } from './refusal.ts';

/**
 * A service that is known and guarded but does nothing yet: whoever may not call it is denied as by SPIRE, everybody
 * else is told that this release lacks it.
 */
export const laterService = (service: DescService): BoundService<Call> => ({
  desc: service,
  methods: service.methods.map((desc) => ({ desc, handle: later(desc) })),
});

/** The handler of one such method. */
export const later = (method: DescMethod) => (): never => {
  throw new PlainFault('unimplemented', `${methodPath(method)} is not available in this release`);
};

/** The handler of a method that SPIRE does not implement either, with its words. */
export const unimplemented = (message: string) => (): never => {
  throw new Fault('unimplemented', message);
};
