import type { MessageInitShape } from '@bufbuild/protobuf';
import { Fault } from '../../base/fault.ts';
import type { Node } from '../../wire/gen/envoy/config/core/v3/base_pb.ts';
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponseSchema,
} from '../../wire/gen/envoy/service/discovery/v3/discovery_pb.ts';
import type { WorkloadUpdate } from '../cache/workload-update.ts';
import type { WorkloadCall } from '../workload-api/call.ts';
import type { SdsDeps } from './deps.ts';
import { MAX_NAMES } from './resolve-secrets.ts';
import { secretEvents } from './secret-events.ts';
import { SecretTable, type VersionedSecret } from './secret-table.ts';
import { type Validator, validatorFor } from './validator.ts';

type Response = MessageInitShape<typeof DeltaDiscoveryResponseSchema>;

/** The name that stands for all there is. */
const WILDCARD = '*';
/** What a client may be told of a secret that it cannot have. */
const REMOVED = '';

/**
 * Only what changed, secret by secret, as Envoy's incremental protocol wants it (SPIRE's agent answers
 * Unimplemented). Each name is resolved by itself. One that stands for nothing is told as removed, and the secret
 * follows as soon as there is one: the stream goes on.
 */
export async function* deltaSecrets(
  deps: SdsDeps,
  requests: AsyncIterable<DeltaDiscoveryRequest>,
  call: WorkloadCall,
): AsyncGenerator<Response> {
  const stream = new DeltaStream(deps, call);
  for await (const event of secretEvents(deps, requests, call)) {
    if (event.kind === 'update') stream.updated(event.update);
    else stream.requested(event.request);
    const response = stream.answer();
    if (response !== undefined) yield response;
  }
}

class DeltaStream {
  readonly #deps: SdsDeps;
  readonly #call: WorkloadCall;
  #update: WorkloadUpdate | undefined;
  #table: { readonly validator: Validator; readonly secrets: SecretTable } | undefined;
  #version = 0;
  #typeUrl: string | undefined;
  #node: Node | undefined;
  readonly #subscribed = new Set<string>();
  /** What the client has: versions by name; `REMOVED` where it knows that there is none. */
  readonly #known = new Map<string, string>();

  constructor(deps: SdsDeps, call: WorkloadCall) {
    this.#deps = deps;
    this.#call = call;
  }

  updated(update: WorkloadUpdate): void {
    this.#update = update;
    this.#table = undefined;
    this.#version += 1;
  }

  requested(request: DeltaDiscoveryRequest): void {
    const { log } = this.#call;
    const { resourceNamesSubscribe: subscribe, resourceNamesUnsubscribe: unsubscribe } = request;
    log.debug('Received DeltaSecrets request', {
      subscribe: `[${subscribe.join(' ')}]`,
      unsubscribe: `[${unsubscribe.join(' ')}]`,
      nonce: request.responseNonce,
    });
    if (request.errorDetail !== undefined) {
      log.error('Envoy reported errors applying secrets', {
        error_detail: request.errorDetail.message,
      });
    }
    if (this.#typeUrl === undefined) this.#opened(request);
    this.#node = request.node ?? this.#node;
    for (const name of unsubscribe) {
      this.#subscribed.delete(name);
      this.#known.delete(name);
    }
    for (const name of subscribe) {
      if (name === '') continue;
      this.#subscribed.add(name);
      // Asked for again is asked to be told again.
      if (!Object.hasOwn(request.initialResourceVersions, name)) this.#known.delete(name);
    }
    if (this.#subscribed.size > MAX_NAMES) {
      throw new Fault('exhausted', `more than ${MAX_NAMES} secrets were asked for on one stream`);
    }
  }

  /** The first request says what the client still has, and asks for all if it names nothing. */
  #opened(request: DeltaDiscoveryRequest): void {
    this.#typeUrl = request.typeUrl;
    if (request.resourceNamesSubscribe.length === 0) this.#subscribed.add(WILDCARD);
    const versions = Object.entries(request.initialResourceVersions);
    for (const [name, version] of versions.slice(0, MAX_NAMES)) this.#known.set(name, version);
  }

  /** Undefined if the client knows it all already. */
  answer(): Response | undefined {
    if (this.#typeUrl === undefined || this.#update === undefined) return undefined;
    const { sds, newNonce } = this.#deps;
    const { log } = this.#call;
    try {
      const validator = validatorFor(this.#node, sds.disableSpiffeCertValidation);
      const { present, missing } = this.#resolve(this.#update, validator);
      const changed = present.filter(
        ({ secret, version }) => this.#known.get(secret.name) !== version,
      );
      const removed = missing.filter((name) => this.#known.get(name) !== REMOVED);
      if (changed.length === 0 && removed.length === 0) return undefined;
      for (const { secret, version } of changed) this.#known.set(secret.name, version);
      for (const name of removed) this.#forget(name);
      const nonce = newNonce();
      const systemVersionInfo = String(this.#version);
      log.debug('Sending DeltaSecrets response', {
        version_info: systemVersionInfo,
        nonce,
        count: changed.length,
        removed: `[${removed.join(' ')}]`,
      });
      return {
        systemVersionInfo,
        nonce,
        typeUrl: this.#typeUrl,
        resources: changed.map(({ secret: { name, resource }, version }) => ({
          name,
          resource,
          version,
        })),
        removedResources: removed,
      };
    } catch (error) {
      log.error('Error building delta secrets response', { error: error as Error });
      throw error;
    }
  }

  #resolve(update: WorkloadUpdate, validator: Validator) {
    const table = this.#tableOf(update, validator);
    const wanted = new Set(this.#subscribed);
    if (wanted.delete(WILDCARD)) for (const name of table.allNames) wanted.add(name);
    const present: VersionedSecret[] = [];
    const missing: string[] = [];
    for (const name of wanted) {
      const found = table.get(name);
      if (found === undefined) missing.push(name);
      else present.push(found);
    }
    for (const name of this.#known.keys()) if (!wanted.has(name)) missing.push(name);
    return { present, missing };
  }

  #tableOf(update: WorkloadUpdate, validator: Validator): SecretTable {
    if (this.#table?.validator !== validator) {
      const secrets = new SecretTable(update, this.#deps.sds, validator);
      this.#table = { validator, secrets };
    }
    return this.#table.secrets;
  }

  #forget(name: string): void {
    // Who asked for it by name is told once; what only the wildcard brought is gone.
    if (this.#subscribed.has(name)) {
      this.#call.log.warn('Workload is not authorized for a requested secret', {
        resource_name: name,
      });
      this.#known.set(name, REMOVED);
    } else this.#known.delete(name);
  }
}
