import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLevelControl } from './level-control.ts';
import { createLogger } from './logger.ts';

test('a level counts at once, for children too, until it is set back', () => {
  const lines: string[] = [];
  const log = createLogger({
    level: 'info',
    format: '',
    sink: { write: (line) => void lines.push(line) },
    now: () => 0,
  });
  const child = log.child({ a: 1 });
  const levels = createLevelControl(log);
  assert.deepEqual([levels.current, levels.launch], ['info', 'info']);

  levels.set('debug');
  child.debug('seen');
  assert.deepEqual([levels.current, levels.launch], ['debug', 'info']);
  levels.set('error');
  child.info('not seen');
  levels.reset();
  child.debug('not seen either');
  assert.deepEqual([levels.current, levels.launch], ['info', 'info']);
  assert.match(lines.join(''), /^\S+ level=debug msg=seen a=1\n$/);
});
