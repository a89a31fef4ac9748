import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { silentLog } from '../../ops/log.ts';
import { DepartedCallers } from './departed-callers.ts';

class Connection extends EventEmitter {
  isOpen = true;
  destroy(): void {
    this.isOpen = false;
    this.emit('close');
  }
}

test('connections of processes that have ended are closed, the others are not', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  using callers = new DepartedCallers(silentLog, 1000);
  const ended = new Set<number>();
  const connections = [1, 2, 3].map((pid) => {
    const connection = new Connection();
    callers.watch(connection, { pid, hasExited: () => ended.has(pid) });
    return connection;
  });
  const open = () => connections.map(({ isOpen }) => isOpen);
  t.mock.timers.tick(1000);
  assert.deepEqual(open(), [true, true, true]);
  ended.add(2);
  assert.deepEqual(open(), [true, true, true]);
  t.mock.timers.tick(1000);
  assert.deepEqual(open(), [true, false, true]);
});

test('who has closed its connection is not asked about any more', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  using callers = new DepartedCallers(silentLog, 1000);
  const connection = new Connection();
  callers.watch(connection, { pid: 1, hasExited: () => assert.fail('asked') });
  connection.destroy();
  t.mock.timers.tick(1000);
});
