import { type DescMessage, type Message, type MessageShape, toJson } from '@bufbuild/protobuf';
import { canonicalJson, structJson } from './canonical-json.ts';
import type { Sink } from './env.ts';
import type { OutputFormat } from './output-flag.ts';

/** What a command says: results on standard output, remarks and failed items on standard error. */
export interface Out {
  /** The answer: as JSON if that was asked for, else in the words of `pretty`. */
  print<D extends DescMessage>(
    schema: D,
    message: MessageShape<D>,
    pretty: (message: MessageShape<D>) => string,
  ): void;
  /** JSON, whatever was asked for. */
  printJson<D extends DescMessage>(schema: D, message: MessageShape<D>): void;
  /** An answer of several messages, which are a list in JSON. */
  printAll(
    messages: readonly (readonly [schema: DescMessage, message: Message])[],
    pretty: () => string,
  ): void;
  /** An answer that is no message. */
  printStruct<T>(value: T, pretty: (value: T) => string): void;
  /** Text for standard output, as it is. */
  write(text: string): void;
  /** Text for standard error, as it is. */
  remark(text: string): void;
  readonly format: OutputFormat;
}

export function createOut(
  { stdout, stderr }: { readonly stdout: Sink; readonly stderr: Sink },
  format: OutputFormat = 'pretty',
): Out {
  const asJson = format === 'json';
  const json = (value: unknown): string => `${canonicalJson(value)}\n`;
  const values = (messages: Parameters<Out['printAll']>[0]) =>
    messages.map(([schema, message]) => messageValue(schema, message));
  return {
    format,
    print(schema, message, pretty) {
      stdout.write(asJson ? json(messageValue(schema, message)) : pretty(message));
    },
    printJson(schema, message) {
      stdout.write(json(messageValue(schema, message)));
    },
    printAll(messages, pretty) {
      stdout.write(asJson ? json(values(messages)) : pretty());
    },
    printStruct(value, pretty) {
      stdout.write(asJson ? `${structJson(value)}\n` : pretty(value));
    },
    write: (text) => {
      stdout.write(text);
    },
    remark: (text) => {
      stderr.write(text);
    },
  };
}

/** Field names of the proto, fields without a value included (`reference/cli.md` §2.2). */
const messageValue = <D extends DescMessage>(schema: D, message: MessageShape<D>) =>
  toJson(schema, message, { useProtoFieldName: true, alwaysEmitImplicit: true });
