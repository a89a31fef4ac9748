import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readConfigFile } from './config-file.ts';
import { ConfigFault } from './problems.ts';

const systemError = (code: string, message: string): Error =>
  Object.assign(new Error(`${code}: ${message}, open 'x'`), { code });

type Content = string | Uint8Array | Error;
const read = (content: Content, expandEnv = false) =>
  readConfigFile({
    path: 'conf/x.conf',
    cwd: '/srv',
    expandEnv,
    environment: { PORT: '8081' },
    async readFile() {
      if (content instanceof Error) throw content;
      return typeof content === 'string' ? new TextEncoder().encode(content) : content;
    },
  });

const refused: readonly (readonly [string, Content, string])[] = [
  [
    'a file that is not there',
    systemError('ENOENT', 'no such file or directory'),
    'could not find config file /srv/conf/x.conf: please use the -config flag',
  ],
  [
    'a file that may not be read',
    systemError('EACCES', 'permission denied'),
    'unable to read configuration at "conf/x.conf": open conf/x.conf: permission denied',
  ],
  [
    'a folder',
    Object.assign(systemError('EISDIR', 'illegal operation on a directory'), { syscall: 'read' }),
    'unable to read configuration at "conf/x.conf": read conf/x.conf: is a directory',
  ],
  [
    'what is no HCL',
    'a = \n}',
    'unable to decode configuration at "conf/x.conf": At 2:1: Unknown token: 2:1 RBRACE }\n  at conf/x.conf:2:1',
  ],
  [
    'what is no JSON',
    '{\n "a": }',
    'unable to decode configuration at "conf/x.conf": Expected object value, got unknown token: 2:7 RBRACE }\n  at conf/x.conf:2:7',
  ],
  [
    'what is no UTF-8',
    Uint8Array.of(0x61, 0x0a, 0xc3, 0xa9, 0xff),
    'unable to decode configuration at "conf/x.conf": At 2:2: illegal UTF-8 encoding\n  at conf/x.conf:2:2',
  ],
];
for (const [what, content, report] of refused) {
  test(`refuses ${what}`, async () => {
    await assert.rejects(read(content), (error) => {
      assert.ok(error instanceof ConfigFault);
      assert.equal(error.report, report);
      return true;
    });
  });
}

test('variables are replaced before anything is read, if that is asked for', async () => {
  const text = 'port = ${PORT} # $PORT';
  const { root } = await read(text, true);
  assert.equal(root.items[0]?.value.kind, 'number');
  await assert.rejects(read(text), { kind: 'invalid' });
});
