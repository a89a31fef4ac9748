import { setTimeout as pause } from 'node:timers/promises';
import {
  createRegistry,
  type DescMethod,
  fromBinary,
  fromJson,
  type JsonValue,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import {
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { codes } from '../../../src/rpc/status.ts';
import {
  SecretSchema,
  SPIFFECertValidatorConfigSchema,
} from '../../../src/wire/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts';
import { SecretDiscoveryService } from '../../../src/wire/gen/envoy/service/secret/v3/sds_pb.ts';
import { Health } from '../../../src/wire/gen/grpc/health/v1/health_pb.ts';
import { ServerReflection } from '../../../src/wire/gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionAlpha } from '../../../src/wire/gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { SpiffeWorkloadAPI } from '../../../src/wire/gen/spiffe/workload/workload_pb.ts';
import { Debug } from '../../../src/wire/gen/spire/api/agent/debug/v1/debug_pb.ts';
import { DelegatedIdentity } from '../../../src/wire/gen/spire/api/agent/delegatedidentity/v1/delegatedidentity_pb.ts';
import { Logger } from '../../../src/wire/gen/spire/api/agent/logger/v1/logger_pb.ts';

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

const services = [
  SpiffeWorkloadAPI,
  SecretDiscoveryService,
  DelegatedIdentity,
  Debug,
  Logger,
  Health,
  ServerReflection,
  ServerReflectionAlpha,
];
/** What `Any` holds in answers. */
const registry = createRegistry(SecretSchema, SPIFFECertValidatorConfigSchema);

/** Makes one call below our own client, which would not send such headers, or to such methods. */
export async function ask(address: string, question: Question): Promise<Outcome> {
  const open = new OpenCall(address, question);
  for (const request of question.requests) open.write(request);
  // Bidirectional streams are held open, so that what is "still open" is so by the server's will.
  if (!open.isBidirectional) open.halfClose();
  await open.quiet();
  if (question.afterFirst !== undefined) {
    await question.afterFirst();
    await open.quiet();
  }
  return open.close();
}

/** One call, spoken to bit by bit. */
export class OpenCall {
  readonly responses: JsonValue[] = [];
  readonly isBidirectional: boolean;
  readonly #client: Client;
  readonly #call: ClientDuplexStream<JsonValue, JsonValue>;
  readonly #quietMilliseconds: number;
  #status: { readonly code: number; readonly details: string } | undefined;
  #heard = performance.now();

  constructor(
    address: string,
    { call, headers, quietMilliseconds }: Omit<Question, 'requests' | 'afterFirst'>,
  ) {
    this.#quietMilliseconds = quietMilliseconds ?? QUIET_MILLISECONDS;
    this.#client = new Client(address, credentials.createInsecure());
    const metadata = new Metadata();
    for (const value of headers) metadata.add('workload.spiffe.io', value);
    const method = methodOf(call);
    this.isBidirectional = method?.methodKind === 'bidi_streaming';
    this.#call = this.#client.makeBidiStreamRequest(
      `/${call}`,
      (request: JsonValue) =>
        Buffer.from(method ? toBinary(method.input, fromJson(method.input, request)) : []),
      (bytes: Buffer) =>
        method
          ? toJson(method.output, fromBinary(method.output, bytes), { registry })
          : bytes.toString('hex'),
      metadata,
    );
    this.#call.on('data', (response: JsonValue) => {
      this.responses.push(response);
      this.#heard = performance.now();
    });
    this.#call.on('error', (error: ServiceError) => {
      this.#status = error;
    });
    this.#call.on('status', (status: { code: number; details: string }) => {
      this.#status ??= status;
    });
  }

  write(request: JsonValue): void {
    this.#call.write(request);
  }

  halfClose(): void {
    this.#call.end();
  }

  /** Until the call has ended, or answered at least once and been silent for a while from now. */
  async quiet(): Promise<void> {
    this.#heard = performance.now();
    while (
      this.#status === undefined &&
      (this.responses.length === 0 || performance.now() - this.#heard < this.#quietMilliseconds)
    ) {
      await pause(5);
    }
  }

  close(): Outcome {
    const status = this.#status;
    this.#call.cancel();
    this.#client.close();
    return {
      code: status === undefined ? 'still open' : codeNameOf(status.code),
      message: status?.details ?? '',
      responses: this.responses,
    };
  }
}

function methodOf(call: string): DescMethod | undefined {
  const [service, name] = call.split('/');
  return services
    .find(({ typeName }) => typeName === service)
    ?.methods.find((method) => method.name === name);
}

const codeNameOf = (code: number): string =>
  code === 0 ? 'OK' : (Object.values(codes).find((row) => row.code === code)?.name ?? String(code));
