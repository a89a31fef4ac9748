import { create, type DescMessage, type Message, toBinary } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import { type Encoded, encoded } from '../../rpc/service.ts';
import { joinMessages } from '../../wire/join-messages.ts';
import type { Call } from './call.ts';
import { encodeList } from './encode-list.ts';
import type { AnswerPage } from './page.ts';

/** An answer that is a list's page. */
type PageMessage = Message & { nextPageToken: string };

/** The answer with that page, serialised bit by bit. `itemsField` is the list's field number. */
export async function listAnswer<Item>(
  schema: GenMessage<PageMessage>,
  itemsField: number,
  encode: (item: Item) => Uint8Array,
  { values, nextPageToken }: AnswerPage<Item>,
  call: Pick<Call, 'signal'>,
): Promise<Encoded> {
  const messages = await encodeList(values, encode, call);
  const rest = toBinary(schema, create(schema, { nextPageToken }));
  return encoded(Buffer.concat([joinMessages(itemsField, messages), rest]));
}

/** Serialises what a message is made of. */
export const encoderOf =
  <D extends DescMessage>(schema: D) =>
  (init: Parameters<typeof create<D>>[1]): Uint8Array =>
    toBinary(schema, create(schema, init));
