import type { DescService } from '@bufbuild/protobuf';
import { Fault } from '../../base/fault.ts';
import type { Channel, Client } from '../../rpc/dial.ts';

/** A connection to an empty path: each call fails as Go's dialling of it does. Answers of streams are not asked for. */
export const noAddress: Channel = {
  client: <S extends DescService>(service: S) =>
    Object.fromEntries<unknown>(
      service.methods.map(({ localName }) => [localName, () => Promise.reject(missingAddress())]),
    ) as Client<S>,
  [Symbol.dispose]() {},
};

const missingAddress = (): Fault =>
  new Fault(
    'unavailable',
    'connection error: desc = "transport: Error while dialing: dial unix: missing address"',
  );
