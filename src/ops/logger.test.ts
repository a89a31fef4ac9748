import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger, type LoggerOptions, parseLogFormat, parseLogLevel } from './logger.ts';

function logger(options: Partial<LoggerOptions> = {}) {
  const lines: string[] = [];
  const sink = { write: (line: string) => void lines.push(line.replace(/^time="[^"]*" /, '')) };
  return {
    lines,
    log: createLogger({ level: 'info', format: '', sink, now: () => 0, ...options }),
  };
}

test('what is louder than the level is not written', () => {
  const { lines, log } = logger({ level: 'warning' });
  log.error('a');
  log.warn('b');
  log.info('c');
  log.debug('d');
  log.trace('e');
  assert.deepEqual(lines, ['level=error msg=a\n', 'level=warning msg=b\n']);
  assert.equal(log.enabled('warning'), true);
  assert.equal(log.enabled('info'), false);
});

test('the level may change while the program runs, for children too', () => {
  const { lines, log } = logger();
  const child = log.child({ subsystem_name: 'ca' });
  child.debug('too early');
  log.setLevel('debug');
  child.debug('now');
  assert.equal(log.level, 'debug');
  assert.equal(child.enabled('debug'), true);
  assert.deepEqual(lines, ['level=debug msg=now subsystem_name=ca\n']);
});

test('a line has the fields of its log, its own before them', () => {
  const { lines, log } = logger();
  log.child({ a: 1, b: 1 }).child({ b: 2, c: 2 }).info('m', { c: 3, d: 3 });
  assert.deepEqual(lines, ['level=info msg=m a=1 b=2 c=3 d=3\n']);
});

test('the source location is that of the call', () => {
  const { lines, log } = logger({ sourceLocation: true });
  function caller() {
    log.child({}).info('m');
  }
  caller();
  assert.match(lines[0] ?? '', /^level=info msg=m file="logger\.test\.ts:\d+" func=caller\n$/);
});

test('levels are known in any case, and warn by two names', () => {
  const names = ['PANIC', 'fatal', 'Error', 'warn', 'WARNING', 'info', 'debug', 'trace'];
  assert.deepEqual(names.map(parseLogLevel), [
    'panic',
    'fatal',
    'error',
    'warning',
    'warning',
    'info',
    'debug',
    'trace',
  ]);
});

test('formats are known in any case', () => {
  assert.deepEqual(['', 'TEXT', 'Json'].map(parseLogFormat), ['', 'text', 'json']);
});

for (const [parse, text, message] of [
  [parseLogLevel, 'LOUD', 'not a valid logrus Level: "LOUD"'],
  [parseLogLevel, '', 'not a valid logrus Level: ""'],
  [parseLogFormat, 'xml', 'unknown logger format: "xml"'],
] as const) {
  test(`refuses: ${message}`, () => {
    assert.throws(() => parse(text), { kind: 'invalid', message });
  });
}
