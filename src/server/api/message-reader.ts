/**
 * Reads a stream's messages one by one: the next, or undefined at its end. The stream itself is left alone, since
 * it belongs to the call, whose answers may still be on their way (`for await` would close it on leaving).
 */
export function messageReader<T>(messages: AsyncIterable<T>): () => Promise<T | undefined> {
  const iterator = messages[Symbol.asyncIterator]();
  return async () => {
    const { done, value } = await iterator.next();
    return done ? undefined : value;
  };
}
