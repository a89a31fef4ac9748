import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { get } from 'node:https';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { Holder } from '../../../../test/kit/certificates.ts';
import { WebOfTrust } from '../../../../test/kit/https-endpoint.ts';
import { eventually } from '../../../../test/kit/programs.ts';
import { writePem } from '../../../crypto/pem.ts';
import { silentLog } from '../../../ops/log.ts';
import { type EndpointIdentity, Listeners } from './endpoint-identity.ts';
import { type HttpsLimits, serveHttps } from './serve-https.ts';

const pemOf = ({ certificate, key }: Holder) => ({
  cert: writePem('CERTIFICATE', certificate.der),
  key: writePem('PRIVATE KEY', key.toPkcs8()),
});

async function start(
  t: TestContext,
  limits: Partial<HttpsLimits> = {},
  admit?: EndpointIdentity['admit'],
) {
  const web = await WebOfTrust.create('web');
  let current = pemOf(await web.web(['localhost', 'first.test']));
  const listeners = new Listeners<typeof current>();
  const asked: string[] = [];
  const server = await serveHttps({
    host: '127.0.0.1',
    port: 0,
    identity: {
      current: () => current,
      onChange: (listener) => listeners.add(listener),
      ...(admit && { admit }),
      async [Symbol.asyncDispose]() {},
    },
    answer(method, target) {
      asked.push(`${method} ${target}`);
      const body = Buffer.from('hello');
      return { status: 200, headers: { 'Content-Length': '5' }, body };
    },
    onFailure: (error) => assert.fail(error),
    log: silentLog,
    limits,
  });
  let stopped = false;
  const stop = async () => {
    if (!stopped) await server[Symbol.asyncDispose]();
    stopped = true;
  };
  t.after(stop);
  const { port } = server.address;
  const dial = (more: ConnectionOptions = {}): TLSSocket => {
    const socket = tlsConnect({
      host: '127.0.0.1',
      port,
      ca: web.pem,
      servername: 'localhost',
      ...more,
    });
    socket.on('error', () => undefined);
    t.after(() => socket.destroy());
    return socket;
  };
  const dialPlain = (): Socket => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    t.after(() => socket.destroy());
    return socket;
  };
  const renew = async () => {
    current = pemOf(await web.web(['localhost', 'second.test']));
    listeners.tell(current);
  };
  return { web, port, asked, dial, dialPlain, renew, stop };
}

async function over1(port: number, ca: string): Promise<string> {
  const request = get({
    host: '127.0.0.1',
    port,
    ca,
    servername: 'localhost',
    path: '/?a',
    agent: false,
  });
  const [response] = (await once(request, 'response')) as [AsyncIterable<Uint8Array>];
  let text = '';
  for await (const chunk of response) text += Buffer.from(chunk).toString();
  return text;
}

async function over2(port: number, ca: string): Promise<string> {
  const session = connectHttp2(`https://127.0.0.1:${port}`, { ca, servername: 'localhost' });
  try {
    const stream = session.request({ ':path': '/' });
    let text = '';
    for await (const chunk of stream) text += String(chunk);
    return text;
  } finally {
    session.destroy();
  }
}

test('HTTP/1.1 and HTTP/2 are spoken', async (t) => {
  const { port, web, asked } = await start(t);
  assert.equal(await over1(port, web.pem), 'hello');
  assert.equal(await over2(port, web.pem), 'hello');
  assert.deepEqual(asked, ['GET /?a', 'GET /']);
});

test('nobody is asked for a certificate, and TLS is 1.2 or later', async (t) => {
  const { dial } = await start(t);
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const socket = dial({ minVersion: version, maxVersion: version });
    await once(socket, 'secureConnect');
    assert.equal(socket.getProtocol(), version);
  }
  const old = dial({ minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
  await assert.rejects(once(old, 'secureConnect'));
  const weak = dial({ maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA' });
  await assert.rejects(once(weak, 'secureConnect'));
});

test('a renewed certificate is shown from then on', async (t) => {
  const { dial, renew } = await start(t);
  const names = async () => {
    const socket = dial();
    await once(socket, 'secureConnect');
    return socket.getPeerCertificate().subjectaltname;
  };
  assert.match((await names()) ?? '', /first/);
  await renew();
  assert.match((await names()) ?? '', /second/);
});

test('who says nothing, or no end of it, is turned away', async (t) => {
  const { dial, dialPlain, port, web } = await start(t, { requestMilliseconds: 100 });
  const silent = dialPlain();
  const undecided = dial();
  await once(undecided, 'secureConnect');
  undecided.write('GET / HTTP/1.1\r\nHost: x\r\n');
  await Promise.all([once(silent, 'close'), once(undecided, 'close')]);
  assert.equal(await over1(port, web.pem), 'hello');
});

test('who does not go is turned away', async (t) => {
  const { dial, asked } = await start(t, { connectionMilliseconds: 300, requestMilliseconds: 100 });
  const lingering = dial();
  await once(lingering, 'secureConnect');
  lingering.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await once(lingering, 'data');
  assert.deepEqual(asked, ['GET /']);
  const asking = Date.now();
  await once(lingering, 'close');
  assert.ok(Date.now() - asking > 100, 'not as long as it was given');
});

test('silent clients make room for those who ask', async (t) => {
  const { dialPlain, port, web } = await start(t, { strangers: 3 });
  const silent = Array.from({ length: 6 }, dialPlain);
  await Promise.all(silent.map((socket) => once(socket, 'connect')));
  assert.equal(await over1(port, web.pem), 'hello');
  await eventually(() => silent.filter(({ closed }) => closed).length >= 3, 'room');
});

test('beyond the greatest number connections are turned away', async (t) => {
  const { dialPlain } = await start(t, { connections: 2 });
  const sockets = Array.from({ length: 4 }, dialPlain);
  await eventually(() => sockets.filter(({ closed }) => closed).length === 2, 'two turned away');
});

test('endless headers are refused', async (t) => {
  const { dial, asked } = await start(t);
  const socket = dial();
  await once(socket, 'secureConnect');
  socket.write(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(100_000)}`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 431 /);
  assert.deepEqual(asked, []);
});

test('what is no TLS, or no HTTP, hurts nobody', async (t) => {
  const { dial, dialPlain, port, web } = await start(t);
  const plain = dialPlain();
  plain.write('GET / HTTP/1.1\r\n\r\n');
  const nonsense = dial();
  await once(nonsense, 'secureConnect');
  nonsense.write('nonsense\r\n\r\n');
  const broken = dial({ ALPNProtocols: ['h2'] });
  await once(broken, 'secureConnect');
  broken.write('nonsense that is no HTTP/2 preface at all\r\n\r\n');
  for (const socket of [plain, nonsense, broken]) {
    socket.resume();
    await eventually(() => socket.closed, 'it is turned away', 5000);
  }
  assert.equal(await over1(port, web.pem), 'hello');
});

test('clients that go in the middle of it hurt nobody', async (t) => {
  const { port, web, dialPlain } = await start(t);
  for (let round = 0; round < 60; round++) {
    const plain = dialPlain();
    const session = connectHttp2(`https://127.0.0.1:${port}`, {
      createConnection: () =>
        tlsConnect({ socket: plain, ca: web.pem, servername: 'localhost', ALPNProtocols: ['h2'] }),
    });
    session.on('error', () => undefined);
    for (let requests = 0; requests < 5; requests++) {
      session.request({ ':path': '/' }).on('error', () => undefined);
    }
    setTimeout(() => plain.resetAndDestroy(), round % 20);
  }
  await eventually(async () => (await over1(port, web.pem)) === 'hello', 'an answer');
  await pause(100);
  assert.equal(await over2(port, web.pem), 'hello');
});

test('who is not admitted is turned away before the handshake', async (t) => {
  let refuse = true;
  const { dial, port, web } = await start(t, {}, async () => {
    if (refuse) throw new Error('not you');
    return true;
  });
  await assert.rejects(once(dial(), 'secureConnect'));
  refuse = false;
  assert.equal(await over1(port, web.pem), 'hello');
});

test('all connections end with it', async (t) => {
  const { dial, dialPlain, stop } = await start(t);
  const known = dial();
  await once(known, 'secureConnect');
  const silent = dialPlain();
  await once(silent, 'connect');
  await Promise.all([stop(), once(known, 'close'), once(silent, 'close')]);
});
