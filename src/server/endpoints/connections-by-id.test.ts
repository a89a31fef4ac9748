import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { createConnectionsById } from './connections-by-id.ts';

let ports = 0;
class FakeSocket extends EventEmitter {
  readonly remoteAddress = '10.0.0.1';
  readonly remotePort = ++ports;
  destroyed = false;

  destroy() {
    this.destroyed = true;
    this.emit('close');
  }
}

function arrive(limit: ReturnType<typeof createConnectionsById>, id: string): FakeSocket {
  const socket = new FakeSocket();
  limit.add(id, socket as unknown as Socket);
  return socket;
}

test('beyond the bound the oldest of that identity makes room, and of no other', () => {
  const limit = createConnectionsById(2);
  const other = arrive(limit, 'spiffe://a/other');
  const own = [1, 2, 3, 4].map(() => arrive(limit, 'spiffe://a/own'));
  assert.deepEqual(
    own.map(({ destroyed }) => destroyed),
    [true, true, false, false],
  );
  assert.equal(other.destroyed, false);
});

test('who has gone takes no room, then or later', () => {
  const limit = createConnectionsById(2);
  const first = [1, 2].map(() => arrive(limit, 'spiffe://a/own'));
  for (const socket of first) socket.destroy();
  const second = [1, 2].map(() => arrive(limit, 'spiffe://a/own'));
  assert.deepEqual(
    second.map(({ destroyed }) => destroyed),
    [false, false],
  );
});
