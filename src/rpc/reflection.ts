import { type DescFile, type DescService, toBinary } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt';
import {
  type ServerReflectionRequest,
  ServerReflection as ServerReflectionV1,
} from '../wire/gen/grpc/reflection/v1/reflection_pb.ts';
import { ServerReflection as ServerReflectionV1Alpha } from '../wire/gen/grpc/reflection/v1alpha/reflection_pb.ts';
import { type BoundService, implement } from './service.ts';
import { codes } from './status.ts';

/** gRPC server reflection, v1 and v1alpha, for these services and for itself. */
export function reflectionServices<Context>(
  services: readonly DescService[],
): readonly BoundService<Context>[] {
  const index = indexOf([...services, ServerReflectionV1, ServerReflectionV1Alpha]);
  async function* info(
    requests: AsyncIterable<Pick<ServerReflectionRequest, 'host' | 'messageRequest'>>,
  ) {
    for await (const { host, messageRequest } of requests) {
      yield {
        validHost: host,
        originalRequest: { host, messageRequest },
        messageResponse: answer(index, messageRequest),
      };
    }
  }
  return [
    implement<typeof ServerReflectionV1, Context>(ServerReflectionV1, {
      serverReflectionInfo: info,
    }),
    implement<typeof ServerReflectionV1Alpha, Context>(ServerReflectionV1Alpha, {
      // The two versions have the same messages under two names.
      serverReflectionInfo: info as never,
    }),
  ];
}

type Index = {
  readonly names: readonly string[];
  readonly files: ReadonlyMap<string, DescFile>;
  readonly symbols: ReadonlyMap<string, DescFile>;
};

function answer(index: Index, request: ServerReflectionRequest['messageRequest']) {
  switch (request.case) {
    case 'listServices':
      return {
        case: 'listServicesResponse',
        value: { service: index.names.map((name) => ({ name })) },
      } as const;
    case 'fileByFilename':
      return fileAnswer(index.files.get(request.value), `file not found: ${request.value}`);
    case 'fileContainingSymbol':
      return fileAnswer(index.symbols.get(request.value), `symbol not found: ${request.value}`);
    case 'fileContainingExtension':
      return refusal(`extension not found: ${request.value.containingType}`);
    case 'allExtensionNumbersOfType':
      return refusal(`no extensions of: ${request.value}`);
    case undefined:
      return refusal('unknown request', 'invalid');
  }
}

const refusal = (errorMessage: string, kind: 'not-found' | 'invalid' = 'not-found') =>
  ({
    case: 'errorResponse',
    value: { errorCode: codes[kind].code, errorMessage },
  }) as const;

/** The file and all that it imports, so that one answer is enough. */
function fileAnswer(file: DescFile | undefined, otherwise: string) {
  if (file === undefined) return refusal(otherwise);
  const fileDescriptorProto = [...withImports(file)].map((each) =>
    toBinary(FileDescriptorProtoSchema, each.proto),
  );
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } } as const;
}

function withImports(file: DescFile, seen = new Set<DescFile>()): Set<DescFile> {
  if (seen.has(file)) return seen;
  seen.add(file);
  for (const each of file.dependencies) withImports(each, seen);
  return seen;
}

function indexOf(services: readonly DescService[]): Index {
  const files = new Map<string, DescFile>();
  const symbols = new Map<string, DescFile>();
  for (const service of services) {
    // Files are asked for by the name in the descriptor, which ends in `.proto`.
    for (const file of withImports(service.file)) files.set(file.proto.name, file);
  }
  for (const file of files.values()) {
    for (const { typeName } of [...file.messages, ...file.enums]) symbols.set(typeName, file);
    for (const { typeName, methods } of file.services) {
      symbols.set(typeName, file);
      for (const { name } of methods) symbols.set(`${typeName}.${name}`, file);
    }
  }
  return { names: services.map(({ typeName }) => typeName).sort(), files, symbols };
}
