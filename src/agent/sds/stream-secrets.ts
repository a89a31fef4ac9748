import type { MessageInitShape } from '@bufbuild/protobuf';
import type { Node } from '../../wire/gen/envoy/config/core/v3/base_pb.ts';
import type {
  DiscoveryRequest,
  DiscoveryResponseSchema,
} from '../../wire/gen/envoy/service/discovery/v3/discovery_pb.ts';
import type { WorkloadUpdate } from '../cache/workload-update.ts';
import type { WorkloadCall } from '../workload-api/call.ts';
import type { SdsDeps } from './deps.ts';
import { secretsOf } from './resolve-secrets.ts';
import { secretEvents } from './secret-events.ts';
import { validatorFor } from './validator.ts';

type Response = MessageInitShape<typeof DiscoveryResponseSchema>;

/**
 * All secrets of the latest accepted request, and again whenever they may have changed (`reference/agent.md` §4.5:
 * state of the world). A name that stands for nothing ends the stream.
 */
export async function* streamSecrets(
  deps: SdsDeps,
  requests: AsyncIterable<DiscoveryRequest>,
  call: WorkloadCall,
): AsyncGenerator<Response> {
  const stream = new SecretStream(deps, call);
  for await (const event of secretEvents(deps, requests, call)) {
    const isNews =
      event.kind === 'update' ? stream.updated(event.update) : stream.requested(event.request);
    const response = isNews ? stream.answer() : undefined;
    if (response !== undefined) yield response;
  }
}

class SecretStream {
  readonly #deps: SdsDeps;
  readonly #call: WorkloadCall;
  #update: WorkloadUpdate | undefined;
  #version = 0;
  /** The latest that was accepted. */
  #request: DiscoveryRequest | undefined;
  #sent: { readonly nonce: string; readonly version: string } | undefined;
  /** Of the last request that was answered: Envoy introduces itself only once. */
  #node: Node | undefined;

  constructor(deps: SdsDeps, call: WorkloadCall) {
    this.#deps = deps;
    this.#call = call;
  }

  updated(update: WorkloadUpdate): boolean {
    this.#update = update;
    this.#version += 1;
    return true;
  }

  /** Whether it asks for anything new; if not, it acknowledges, or is of no account. */
  requested(request: DiscoveryRequest): boolean {
    const { log } = this.#call;
    log.debug('Received StreamSecrets request', {
      resource_names: `[${request.resourceNames.join(' ')}]`,
      version_info: request.versionInfo,
      nonce: request.responseNonce,
    });
    const before = this.#request;
    if (this.#sent !== undefined) {
      if (request.responseNonce !== this.#sent.nonce) {
        log.warn('Received unexpected nonce; ignoring request', {
          got: request.responseNonce,
          expected: this.#sent.nonce,
        });
        return false;
      }
      this.#tellRejection(request, this.#sent.version);
      request.node ??= this.#node;
    }
    this.#request = request;
    return this.#sent === undefined || before === undefined || !sameNames(before, request);
  }

  #tellRejection({ versionInfo, errorDetail }: DiscoveryRequest, sentVersion: string): void {
    const { log } = this.#call;
    if (versionInfo !== sentVersion) {
      log.error('Client rejected expected version and rolled back', {
        version_info: versionInfo,
        expected: sentVersion,
      });
    }
    if (errorDetail !== undefined) {
      log.error('Envoy reported errors applying secrets', { error_detail: errorDetail.message });
    }
  }

  /** Undefined until both a request and an update are there. */
  answer(): Response | undefined {
    const { log } = this.#call;
    const request = this.#request;
    if (request === undefined || this.#update === undefined) return undefined;
    const { sds, newNonce } = this.#deps;
    try {
      const validator = validatorFor(request.node, sds.disableSpiffeCertValidation);
      const secrets = secretsOf(this.#update, request.resourceNames, sds, validator);
      const sent = { nonce: newNonce(), version: String(this.#version) };
      this.#sent = sent;
      this.#node = request.node;
      log.debug('Sending StreamSecrets response', {
        version_info: sent.version,
        nonce: sent.nonce,
        count: secrets.length,
      });
      return {
        typeUrl: request.typeUrl,
        versionInfo: sent.version,
        nonce: sent.nonce,
        resources: secrets.map(({ resource }) => resource),
      };
    } catch (error) {
      log.error('Error building stream secrets response', { error: error as Error });
      throw error;
    }
  }
}

/** As many names, and the same ones; their order does not matter. */
function sameNames(a: DiscoveryRequest, b: DiscoveryRequest): boolean {
  if (a.resourceNames.length !== b.resourceNames.length) return false;
  const known = new Set(a.resourceNames);
  return b.resourceNames.every((name) => known.has(name));
}
