import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refuseUnsafeRuntime } from './process-guard.ts';

const refused: readonly (readonly [string, readonly string[], Record<string, string>, RegExp])[] = [
  ['a debugger', ['--inspect'], {}, /--inspect/],
  ['a debugger on an address', ['--inspect=0.0.0.0:9229'], {}, /--inspect=0\.0\.0\.0/],
  ['a debugger that waits', ['--inspect-brk'], {}, /--inspect-brk/],
  [
    'a debugger by NODE_OPTIONS',
    [],
    { NODE_OPTIONS: '--max-old-space-size=100 --inspect' },
    /--inspect/,
  ],
  ['a quoted one', [], { NODE_OPTIONS: '"--inspect=127.0.0.1:0"' }, /--inspect/],
  ['one with underscores', [], { NODE_OPTIONS: '--inspect_brk' }, /--inspect-brk/],
  ['heap dumps by signal', ['--heapsnapshot-signal=SIGUSR2'], {}, /heapsnapshot/],
  ['a log of TLS keys', ['--tls-keylog=/tmp/keys'], {}, /tls-keylog/],
  ['TLS that believes anyone', [], { NODE_TLS_REJECT_UNAUTHORIZED: '0' }, /REJECT_UNAUTHORIZED=0/],
];
for (const [what, options, environment, message] of refused) {
  test(`refuses ${what}`, () => {
    assert.throws(() => refuseUnsafeRuntime(options, environment), {
      kind: 'failed-precondition',
      message,
    });
  });
}

const accepted: readonly (readonly [string, readonly string[], Record<string, string>])[] = [
  ['a plain process', [], {}],
  ['the launcher options', ['--enable-source-maps', '--max-semi-space-size=1'], {}],
  ['TLS that is told to check', [], { NODE_TLS_REJECT_UNAUTHORIZED: '1' }],
  ['a name that only starts alike', ['--inspector-free'], {}],
];
for (const [what, options, environment] of accepted) {
  test(`accepts ${what}`, () => {
    refuseUnsafeRuntime(options, environment);
  });
}
