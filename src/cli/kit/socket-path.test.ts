import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serverSocket, socketAddress, socketPath, workloadSocket } from './socket-path.ts';

const DEFAULT = '/tmp/spire-server/private/api.sock';
const TEMPLATE = { SPIRE_SERVER_PRIVATE_SOCKET_TEMPLATE: '/run/%i/%i.sock' };
const BASE = { SPIRE_SERVER_PRIVATE_SOCKET: '/run/base.sock' };

const paths: readonly [
  why: string,
  flags: { socketPath?: string; instance?: string },
  variables: Record<string, string>,
  path: string,
][] = [
  ['nothing given', {}, {}, DEFAULT],
  ['a path', { socketPath: '/a' }, BASE, '/a'],
  ['an empty path', { socketPath: '' }, BASE, ''],
  ['the default path, which counts as none', { socketPath: DEFAULT }, BASE, '/run/base.sock'],
  ['a variable', {}, BASE, '/run/base.sock'],
  ['an empty variable', {}, { SPIRE_SERVER_PRIVATE_SOCKET: '' }, DEFAULT],
  ['an instance', { instance: 'x' }, { ...TEMPLATE, ...BASE }, '/run/x/x.sock'],
  ['an instance and a path', { instance: 'x', socketPath: '/a' }, TEMPLATE, '/a'],
];
for (const [why, { socketPath: path = DEFAULT, instance = '' }, variables, expected] of paths) {
  test(`finds the socket by ${why}`, () => {
    const found = socketPath(serverSocket, { socketPath: path, instance }, { variables });
    assert.equal(found, expected);
  });
}

test('an instance needs a template, even beside a path', () => {
  const flags = { socketPath: '/a', instance: 'x' };
  assert.throws(() => socketPath(serverSocket, flags, { variables: {} }), {
    message: 'you must define SPIRE_SERVER_PRIVATE_SOCKET_TEMPLATE to use the instance flag',
  });
  assert.throws(() => socketPath(workloadSocket, flags, { variables: {} }), {
    message:
      ' SPIRE_AGENT_PUBLIC_SOCKET_TEMPLATE environment variable must be defined when using the instance flag',
  });
  const variables = { SPIRE_AGENT_PUBLIC_SOCKET_TEMPLATE: '/run/x' };
  assert.throws(() => socketPath(workloadSocket, flags, { variables }), {
    message: 'failed to find %i in SPIRE_AGENT_PUBLIC_SOCKET_TEMPLATE',
  });
});

const cwd = '/here';
const addresses: readonly [
  rules: typeof serverSocket,
  path: string,
  real: string,
  shown: string,
][] = [
  [serverSocket, '/a/b', 'unix:/a/b', 'unix:///a/b'],
  [serverSocket, 'a/b', 'unix:a/b', 'unix:a/b'],
  [serverSocket, '/a%20b%C3%A9?c=d', 'unix:/a bé', 'unix:///a bé'],
  [workloadSocket, '/a/b', 'unix:/a/b', 'unix:/a/b'],
  [workloadSocket, 'a/b', 'unix:/here/a/b', 'unix:/here/a/b'],
  [workloadSocket, '', 'unix:/here', 'unix:/here'],
];
for (const [rules, path, address, shownAddress] of addresses) {
  test(`dials ${path} of ${rules === serverSocket ? 'the server' : 'the agent'}`, () => {
    assert.deepEqual(socketAddress(rules, path, { cwd }), { address, shownAddress });
  });
}

test('a wrong escape is refused before anything is dialled', () => {
  assert.throws(() => socketAddress(serverSocket, '/tmp/a%zz', { cwd }), {
    message: 'parse "dns:///unix:/tmp/a%zz": invalid URL escape "%zz"',
  });
});
