import { Fault } from '../../base/fault.ts';

/** The handler of a method that SPIRE does not implement either, with its words. */
export const unimplemented = (message: string) => (): never => {
  throw new Fault('unimplemented', message);
};
