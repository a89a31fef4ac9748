import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { test } from 'node:test';
import { createStrangers } from './strangers.ts';

/** As much of a connection as is asked for. */
class FakeSocket extends EventEmitter {
  readonly remoteAddress = '10.0.0.1';
  readonly remotePort: number;
  destroyed = false;

  constructor(remotePort: number) {
    super();
    this.remotePort = remotePort;
  }

  destroy() {
    this.destroyed = true;
    setImmediate(() => this.emit('close'));
  }
}

const arrive = (count: number) =>
  Array.from({ length: count }, (_, index) => new FakeSocket(index));
const asSocket = (socket: FakeSocket) => socket as unknown as Socket;
const left = (sockets: readonly FakeSocket[]) =>
  sockets.filter(({ destroyed }) => !destroyed).map(({ remotePort }) => remotePort);

test('beyond the limit the one who has been here longest makes room', () => {
  const strangers = createStrangers(3);
  const sockets = arrive(5);
  for (const socket of sockets) strangers.add(asSocket(socket));
  assert.deepEqual(left(sockets), [2, 3, 4]);
});

test('who is known, or has gone, takes no room', () => {
  const strangers = createStrangers(2);
  const sockets = arrive(6);
  const [known, gone, ...others] = sockets;
  assert.ok(known && gone);
  strangers.add(asSocket(known));
  strangers.isKnown(known);
  strangers.add(asSocket(gone));
  gone.destroy();
  for (const socket of others) strangers.add(asSocket(socket));
  assert.deepEqual(left(sockets), [0, 4, 5]);
  strangers.turnAway();
  assert.deepEqual(left(sockets), [0]);
});
