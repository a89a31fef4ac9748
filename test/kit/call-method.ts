import type { DescMethod, DescService } from '@bufbuild/protobuf';
import { Fault } from '../../src/base/fault.ts';
import type { Channel } from '../../src/rpc/dial.ts';
import { methodPath } from '../../src/rpc/service.ts';
import { Health } from '../../src/wire/gen/grpc/health/v1/health_pb.ts';
import { Agent } from '../../src/wire/gen/spire/api/server/agent/v1/agent_pb.ts';
import { Bundle } from '../../src/wire/gen/spire/api/server/bundle/v1/bundle_pb.ts';
import { Debug } from '../../src/wire/gen/spire/api/server/debug/v1/debug_pb.ts';
import { Entry } from '../../src/wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { LocalAuthority } from '../../src/wire/gen/spire/api/server/localauthority/v1/localauthority_pb.ts';
import { Logger } from '../../src/wire/gen/spire/api/server/logger/v1/logger_pb.ts';
import { SVID } from '../../src/wire/gen/spire/api/server/svid/v1/svid_pb.ts';
import { TrustDomain } from '../../src/wire/gen/spire/api/server/trustdomain/v1/trustdomain_pb.ts';

const services: readonly DescService[] = [
  Agent,
  Bundle,
  Debug,
  Entry,
  Health,
  LocalAuthority,
  Logger,
  SVID,
  TrustDomain,
];
const methods = new Map(
  services.flatMap((service) => service.methods.map((method) => [methodPath(method), method])),
);

/** Calls a method of the server API, by its full name, with one empty request. Rejects as the call does. */
export async function callMethod(channel: Channel, path: string): Promise<void> {
  const method = methods.get(path);
  if (method === undefined) throw new Fault('internal', `the server API has no ${path}`);
  const client = channel.client(method.parent) as Record<string, (request: unknown) => unknown>;
  const outcome = client[method.localName]?.(requestOf(method));
  if (!streamsAnswers(method)) await outcome;
  else for await (const _answer of outcome as AsyncIterable<unknown>);
}

const streamsAnswers = ({ methodKind }: DescMethod): boolean =>
  methodKind === 'server_streaming' || methodKind === 'bidi_streaming';

const requestOf = ({ methodKind }: DescMethod): unknown =>
  methodKind === 'bidi_streaming' || methodKind === 'client_streaming' ? oneEmpty() : {};

async function* oneEmpty() {
  yield {};
}
