import type { MessageInitShape } from '@bufbuild/protobuf';
import { checkSelector, type Selector } from '../spiffe/selector.ts';
import type { SelectorSchema } from './gen/spire/api/types/selector_pb.ts';

/** Throws 'invalid' with SPIRE's words (`reference/server.md` §14.1). */
export function selectorFromProto({ type, value }: Selector): Selector {
  const selector = { type, value };
  checkSelector(selector);
  return selector;
}

/** In the order given. Throws 'invalid' at the first that is malformed. */
export const selectorsFromProto = (protos: readonly Selector[]): readonly Selector[] =>
  protos.map(selectorFromProto);

export const selectorToProto = ({
  type,
  value,
}: Selector): MessageInitShape<typeof SelectorSchema> => ({ type, value });
