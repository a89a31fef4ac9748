import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flag } from './flag.ts';
import { outputFlag } from './output-flag.ts';
import { usageBlock } from './usage.ts';

test('the usage block has every flag in bytewise order, with type word and default', () => {
  const flags = {
    output: outputFlag,
    format: flag.aliasOf('output', 'Old name'),
    socketPath: flag.string('Path', '/a "b"'),
    zero: flag.string('Nothing'),
    ttl: flag.int('Seconds', 600n),
    none: flag.int('Number'),
    expiredFor: flag.duration('Time', 2_592_000_000_000_000n),
    timeout: flag.durationValue('Wait', 5_000_000_000n),
    Admin: flag.bool('Yes'),
    selector: flag.strings('Texts'),
  };
  assert.equal(
    usageBlock('some thing', flags),
    `Usage of some thing:
  -Admin
    \tYes
  -expiredFor duration
    \tTime (default 720h0m0s)
  -format value
    \tOld name
  -none int
    \tNumber
  -output value
    \tHow to print the answer: pretty (the default) or json
  -selector value
    \tTexts
  -socketPath string
    \tPath (default "/a \\"b\\"")
  -timeout value
    \tWait (default 5s)
  -ttl int
    \tSeconds (default 600)
  -zero string
    \tNothing
`,
  );
});
