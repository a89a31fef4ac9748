import { nameFailure } from '../../catalog/name-failure.ts';
import type { Updates, UpstreamAuthority } from './contract.ts';

/** The same authority; what it throws says `upstreamauthority(<name>): ` first. */
export function namedUpstreamAuthority(authority: UpstreamAuthority): UpstreamAuthority {
  const { name } = authority;
  return {
    name,
    mintX509Ca: (request) => named(name, request.signal, authority.mintX509Ca(request)),
    publishJwtKey: (key, signal) => named(name, signal, authority.publishJwtKey(key, signal)),
    subscribeToLocalBundle: (signal) =>
      named(name, signal, authority.subscribeToLocalBundle(signal)),
    [Symbol.asyncDispose]: () => authority[Symbol.asyncDispose](),
  };
}

async function named<U, T extends { readonly updates: Updates<U> }>(
  name: string,
  signal: AbortSignal,
  answer: Promise<T>,
): Promise<T> {
  try {
    const first = await answer;
    return { ...first, updates: namedUpdates(name, signal, first.updates) };
  } catch (error) {
    throw failure(name, signal, error);
  }
}

async function* namedUpdates<U>(
  name: string,
  signal: AbortSignal,
  updates: Updates<U>,
): Updates<U> {
  try {
    yield* updates;
  } catch (error) {
    throw failure(name, signal, error);
  }
}

const failure = (name: string, { aborted, reason }: AbortSignal, error: unknown): unknown =>
  aborted && error === reason ? error : nameFailure('UpstreamAuthority', name, error);
