import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import { policyFiles, policyWasm, type TestPolicy } from '../../../test/kit/policies.ts';
import { temporaryFolder } from '../../../test/kit/temp-dir.ts';
import { BatchCreateEntryRequestSchema } from '../../wire/gen/spire/api/server/entry/v1/entry_pb.ts';
import { loadCompiledPolicy } from './compiled-policy.ts';
import { openPolicy, type PolicyQuestion } from './open-policy.ts';

const CREATE = '/spire.api.server.entry.v1.Entry/BatchCreateEntry';
const NOTHING = {
  allow: false,
  allow_if_admin: false,
  allow_if_local: false,
  allow_if_downstream: false,
  allow_if_agent: false,
};

async function folderOf(t: TestContext): Promise<string> {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  return folder.path;
}

const opened = async (t: TestContext, name: TestPolicy, data: unknown) =>
  await openPolicy(await policyFiles(await folderOf(t), name, data));

const question = (more: Partial<PolicyQuestion> = {}): PolicyQuestion => ({
  caller: '',
  callerFilePath: undefined,
  fullMethod: CREATE,
  request: undefined,
  ...more,
});

const creating = (...paths: string[]) => ({
  schema: BatchCreateEntryRequestSchema,
  message: create(BatchCreateEntryRequestSchema, {
    entries: paths.map((path) => ({ spiffeId: { trustDomain: 'example.org', path } })),
  }),
});

test('a policy decides by method, by caller, and by what is asked for', async (t) => {
  const policy = await opened(t, 'table', {
    apis: [{ full_method: CREATE, for: ['local', 'admin'] }],
  });
  const operators = { local: true, admin: true };
  assert.deepEqual(policy(question({ request: creating('/x') })), operators);
  assert.deepEqual(policy(question({ fullMethod: '/other/Method' })), {});
  const caller = 'spiffe://example.org/team-admin';
  const asTeam = (...paths: string[]) => policy(question({ caller, request: creating(...paths) }));
  assert.deepEqual(asTeam('/team/a', '/team/b'), { ...operators, anyone: true });
  assert.deepEqual(asTeam('/team/a', '/elsewhere'), operators);
});

test('the answers of a thousand questions depend on nothing but the question', async (t) => {
  const policy = await opened(t, 'table', { apis: [] });
  const caller = 'spiffe://example.org/team-admin';
  for (let round = 0; round < 500; round++) {
    const many = Array.from({ length: round % 40 }, (_, index) => `/team/${index}`);
    assert.deepEqual(policy(question({ caller, request: creating('/team/x', ...many) })), {
      anyone: true,
    });
    assert.deepEqual(policy(question({ caller, request: creating(...many, '/x') })), {});
  }
});

const inputs: readonly [what: string, asked: PolicyQuestion, expected: unknown][] = [
  [
    'caller, method and request',
    question({ caller: 'spiffe://td/x', request: creating('/a') }),
    {
      caller: 'spiffe://td/x',
      full_method: CREATE,
      req: { entries: [{ spiffe_id: { trust_domain: 'example.org', path: '/a' } }] },
    },
  ],
  [
    'the program of a local caller',
    question({ callerFilePath: '/usr/bin/x', request: creating() }),
    { caller: '', caller_file_path: '/usr/bin/x', full_method: CREATE, req: {} },
  ],
  ['no request of a stream', question(), { caller: '', full_method: CREATE, req: null }],
];
for (const [what, asked, expected] of inputs) {
  test(`a policy is given ${what}`, async (t) => {
    const policy = await opened(t, 'data', { expected });
    assert.deepEqual(policy(asked), { anyone: true });
    assert.deepEqual(policy({ ...asked, fullMethod: '/other/Method' }), {});
  });
}

test('what is permitted is what the policy says, and nothing else', async (t) => {
  const policy = await opened(t, 'data', {
    result: { ...NOTHING, allow_if_admin: true, allow_if_agent: true, allow_if_friend: true },
  });
  assert.deepEqual(policy(question()), { admin: true, agent: true });
});

describe('refuses at the start', () => {
  const MISCONFIGURED =
    'authpolicy engine failed to validate on sample test inputs: policy is misconfigured: ';
  const results: readonly [why: string, data: unknown, message: string][] = [
    ['no result', {}, 'policy: no matching policies found'],
    [
      'a result that is no object',
      { result: true },
      'unexpected type in evaluating policy result expression',
    ],
    [
      'a result that is a list',
      { result: [true] },
      'unexpected type in evaluating policy result expression',
    ],
    ['an empty result', { result: {} }, 'policy: result did not contain "allow" bool value'],
    [
      'a word instead of a truth',
      { result: { ...NOTHING, allow_if_local: 'true' } },
      'policy: result did not contain "allow_if_local" bool value',
    ],
    [
      'a member that only the prototype has',
      { result: { ...NOTHING, allow_if_agent: undefined, __proto__: { allow_if_agent: true } } },
      'policy: result did not contain "allow_if_agent" bool value',
    ],
  ];
  for (const [why, data, message] of results) {
    test(why, async (t) => {
      await assert.rejects(opened(t, 'data', data), {
        kind: 'unknown',
        message: MISCONFIGURED + message,
      });
    });
  }

  test('data that is not JSON', async (t) => {
    const files = await policyFiles(await folderOf(t), 'data', {});
    await writeFile(files.dataPath, '{"result":');
    await assert.rejects(openPolicy(files), {
      kind: 'invalid',
      message: /^error decoding JSON databindings: ./,
    });
  });

  test('files that are not there', async (t) => {
    const folder = await folderOf(t);
    const files = await policyFiles(folder, 'data', {});
    const gone = join(folder, 'gone');
    for (const paths of [
      { ...files, wasmPath: gone },
      { ...files, dataPath: gone },
    ]) {
      await assert.rejects(openPolicy(paths), {
        message: `open ${gone}: no such file or directory`,
      });
    }
  });

  test('no data where the policy needs some', async (t) => {
    const files = await policyFiles(await folderOf(t), 'data', {});
    await rm(files.dataPath);
    await assert.rejects(openPolicy({ ...files, dataPath: undefined }), {
      message: `${MISCONFIGURED}policy: no matching policies found`,
    });
  });

  test('a policy in text, and whatever else is no module', async (t) => {
    const files = await policyFiles(await folderOf(t), 'data', {});
    for (const text of ['package spire\nresult := {}', '', '\0asm\x01\0\0\0']) {
      await writeFile(files.wasmPath, text);
      await assert.rejects(openPolicy(files), {
        kind: 'invalid',
        message: /^not a policy that was compiled to WebAssembly: ./,
      });
    }
  });

  test('a module that is cut off or damaged', async (t) => {
    const files = await policyFiles(await folderOf(t), 'data', { result: NOTHING });
    const wasm = await policyWasm('data');
    for (const length of [10, 1000, wasm.length - 1]) {
      await writeFile(files.wasmPath, wasm.subarray(0, length));
      await assert.rejects(openPolicy(files), { kind: 'invalid' });
    }
  });

  test('another entry point', async () => {
    const wasm = await policyWasm('data');
    const at = wasm.indexOf('spire/result');
    assert.notEqual(at, -1);
    wasm.write('spire/reason', at);
    await assert.rejects(loadCompiledPolicy(wasm, Buffer.from('{}')), {
      kind: 'invalid',
      message:
        'the policy has no entry point spire/result; compile it with: opa build -t wasm -e spire/result',
    });
  });

  test('functions that are not compiled in', async (t) => {
    await assert.rejects(opened(t, 'builtin', {}), {
      kind: 'invalid',
      message: 'the policy uses functions that are not compiled into it: sprintf',
    });
  });

  test('more data than a policy may hold', async () => {
    await assert.rejects(
      loadCompiledPolicy(await policyWasm('data'), Buffer.alloc(100 * 1024 * 1024, ' ')),
      { kind: 'invalid', message: /^the policy cannot hold its data: / },
    );
  });
});

test('a question that is too large is not answered, and the next one is', async () => {
  const wasm = await policyWasm('table');
  const compiled = await loadCompiledPolicy(wasm, Buffer.from('{"apis":[]}'));
  const small = JSON.stringify({ caller: '', full_method: CREATE, req: null });
  const before = compiled.evaluate(small);
  const large = JSON.stringify({ caller: 'x'.repeat(80 * 1024 * 1024), full_method: CREATE });
  assert.throws(() => compiled.evaluate(large), { kind: 'unknown', message: /^policy: / });
  const deep = '['.repeat(1_000_000);
  assert.throws(() => compiled.evaluate(deep), { kind: 'unknown', message: /^policy: / });
  assert.deepEqual(compiled.evaluate(small), before);
});
