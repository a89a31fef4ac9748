import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../../base/fault.ts';
import { createLogger } from '../../ops/logger.ts';
import type { Env } from './env.ts';
import { runService, type Service } from './run-service.ts';

type Started = Service | Promise<Service>;

/** A process whose signals and umask are the test's. */
function world(umask = 0o027) {
  const lines: string[] = [];
  const events: string[] = [];
  const listeners = new Map<string, () => void>();
  const log = createLogger({
    level: 'info',
    format: '',
    sink: { write: (line) => lines.push(line.replace(/^time="[^"]*" |\n$/g, '')) },
  });
  const env = {
    signals: {
      on(names: readonly NodeJS.Signals[], listener: () => void) {
        for (const name of names) listeners.set(name, listener);
        return {
          [Symbol.dispose]() {
            for (const name of names) listeners.delete(name);
          },
        };
      },
    },
    host: {
      umask(mask?: number) {
        if (mask !== undefined) events.push(`umask ${mask.toString(8)}`);
        return umask;
      },
      exit: (code: number) => void events.push(`exit ${code}`),
      onBug(listener: (error: Error) => void) {
        listeners.set('bug', () => {
          listener(new TypeError('x is not a function'));
        });
        return { [Symbol.dispose]: () => listeners.delete('bug') };
      },
    },
  } as unknown as Env;
  const opened = {
    log,
    drained: async () => void events.push('log written'),
    reopen: async () => void events.push('log reopened'),
    async [Symbol.asyncDispose]() {},
  };
  const service = (failed: Promise<never> = new Promise(() => {})): Service => ({
    failed,
    async [Symbol.asyncDispose]() {
      events.push('stopped');
    },
  });
  const send = (name: NodeJS.Signals | 'bug') => listeners.get(name)?.();
  const start = (make: (signal: AbortSignal) => Started) =>
    runService(
      {
        who: 'Server',
        opened,
        start: async (signal) => make(signal),
        onFailure: (error) => {
          log.error('Fatal run error', { error });
        },
      },
      env,
    );
  return { lines, events, listeners, send, service, start };
}

for (const name of ['SIGINT', 'SIGTERM'] as const) {
  test(`${name} stops the service, and lets it finish`, async () => {
    const { lines, events, listeners, send, service, start } = world();
    const running = start(() => service());
    setImmediate(() => send(name));
    assert.equal(await running, 0);
    assert.deepEqual(events, ['stopped']);
    assert.equal(lines.at(-1), 'level=info msg="Server stopped gracefully"');
    assert.equal(listeners.size, 0);
  });
}

test('the second signal ends the process at once', async () => {
  const { events, send, start } = world();
  const { promise: stopping, resolve: finish } = Promise.withResolvers<void>();
  const slow: Service = { failed: new Promise(() => {}), [Symbol.asyncDispose]: () => stopping };
  const running = start(() => slow);
  await new Promise(setImmediate);
  send('SIGTERM');
  assert.deepEqual(events, []);
  send('SIGINT');
  assert.deepEqual(events, ['exit 1']);
  finish();
  assert.equal(await running, 0);
});

test('a bug is written to the log before it ends the process', async () => {
  const { events, lines, send, service, start } = world();
  const running = start(() => service());
  await new Promise(setImmediate);
  send('bug');
  send('bug');
  await new Promise(setImmediate);
  assert.deepEqual(events, ['log written', 'exit 2']);
  const [told, ...others] = lines.filter((line) => line.startsWith('level=error'));
  assert.match(
    told ?? '',
    /^level=error msg="Server crashed: this is a bug, please report it" error="x is not a function" stack="TypeError: x is not a function\\n/,
  );
  assert.deepEqual(others, []);
  send('SIGTERM');
  await running;
});

test('a signal ends a start that takes long', async () => {
  const { lines, send, start } = world();
  const running = start(
    (signal) =>
      new Promise<Service>((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reject(signal.reason as Error);
        });
      }),
  );
  setImmediate(() => send('SIGTERM'));
  assert.equal(await running, 0);
  assert.equal(lines.at(-1), 'level=info msg="Server stopped gracefully"');
});

test('a start that fails, or a service that cannot go on, is logged and nothing else', async () => {
  const crashed = [
    'level=error msg="Fatal run error" error=boom',
    'level=error msg="Server crashed" error=boom',
  ];
  const one = world();
  const failing = one.start(() => {
    throw new Fault('internal', 'boom');
  });
  assert.equal(await failing, 1);
  assert.deepEqual(one.lines.slice(-2), crashed);
  const two = world();
  const broken = Promise.reject(new Fault('internal', 'boom'));
  assert.equal(await two.start(() => two.service(broken)), 1);
  assert.deepEqual(two.events, ['stopped']);
  assert.deepEqual(two.lines.slice(-2), crashed);
});

test('SIGUSR2 opens the log anew', async () => {
  const { events, send, service, start } = world();
  const running = start(() => service());
  setImmediate(() => {
    send('SIGUSR2');
    send('SIGTERM');
  });
  await running;
  assert.deepEqual(events, ['log reopened', 'stopped']);
});

test('a umask that lets others in is made strict, with a warning', async () => {
  const rows = [
    [0o000, ['umask 27'], 'Current umask 0000 is too permissive; setting umask 0027'],
    [0o022, ['umask 27'], 'Current umask 0022 is too permissive; setting umask 0027'],
    [0o077, [], undefined],
  ] as const;
  for (const [umask, changes, warning] of rows) {
    const { lines, events, send, service, start } = world(umask);
    const running = start(() => service());
    setImmediate(() => send('SIGTERM'));
    await running;
    assert.deepEqual(
      events.filter((event) => event.startsWith('umask')),
      changes,
    );
    assert.equal(
      lines.find((line) => line.includes('umask')),
      warning && `level=warning msg="${warning}"`,
    );
  }
});
