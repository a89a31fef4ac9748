import { setTimeout as pause } from 'node:timers/promises';
import {
  type DescMethod,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { codes } from '../../../src/rpc/status.ts';
import { Health } from '../../../src/wire/gen/grpc/health/v1/health_pb.ts';
import { ServerReflection } from '../../../src/wire/gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionAlpha } from '../../../src/wire/gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { SpiffeWorkloadAPI } from '../../../src/wire/gen/spiffe/workload/workload_pb.ts';

export type Outcome = {
  /** A gRPC code's name, or `still open`. */
  readonly code: string;
  readonly message: string;
  readonly responses: readonly JsonValue[];
};

export type Question = {
  /** `Service/Method`. */
  readonly call: string;
  /** Values of the security header. */
  readonly headers: readonly string[];
  readonly requests: readonly JsonValue[];
  /** Called once the first answer is there; what comes within a moment after it belongs to the outcome too. */
  readonly afterFirst?: (() => Promise<void>) | undefined;
  /** A stream from which nothing comes for so long stays open. */
  readonly quietMilliseconds?: number;
};

const QUIET_MILLISECONDS = 150;

const services = [SpiffeWorkloadAPI, Health, ServerReflection, ServerReflectionAlpha];

/** Makes one call below our own client, which would not send such headers, or to such methods. */
export async function ask(address: string, question: Question): Promise<Outcome> {
  const { quietMilliseconds = QUIET_MILLISECONDS } = question;
  const client = new Client(address, credentials.createInsecure());
  const metadata = new Metadata();
  for (const value of question.headers) metadata.add('workload.spiffe.io', value);
  const method = methodOf(question.call);
  const call = client.makeBidiStreamRequest(
    `/${question.call}`,
    (request: JsonValue) =>
      Buffer.from(method ? toBinary(method.input, fromJson(method.input, request)) : []),
    (bytes: Buffer) =>
      method ? toJson(method.output, fromBinary(method.output, bytes)) : bytes.toString('hex'),
    metadata,
  );
  const responses: JsonValue[] = [];
  const end: { status?: { readonly code: number; readonly details: string } } = {};
  let heard = performance.now();
  call.on('data', (response: JsonValue) => {
    responses.push(response);
    heard = performance.now();
  });
  call.on('error', (error: ServiceError) => {
    end.status = error;
  });
  call.on('status', (status: { code: number; details: string }) => {
    end.status ??= status;
  });
  for (const request of question.requests) call.write(request);
  // Bidirectional streams are held open, so that what is "still open" is so by the server's will.
  if (method?.methodKind !== 'bidi_streaming') call.end();
  const quiet = async () => {
    while (
      end.status === undefined &&
      (responses.length === 0 || performance.now() - heard < quietMilliseconds)
    ) {
      await pause(5);
    }
  };
  await quiet();
  if (question.afterFirst !== undefined) {
    await question.afterFirst();
    heard = performance.now();
    await quiet();
  }
  const outcome = {
    code: end.status === undefined ? 'still open' : codeNameOf(end.status.code),
    message: end.status?.details ?? '',
    responses,
  };
  call.cancel();
  client.close();
  return outcome;
}

function methodOf(call: string): DescMethod | undefined {
  const [service, name] = call.split('/');
  return services
    .find(({ typeName }) => typeName === service)
    ?.methods.find((method) => method.name === name);
}

const codeNameOf = (code: number): string =>
  code === 0 ? 'OK' : (Object.values(codes).find((row) => row.code === code)?.name ?? String(code));
