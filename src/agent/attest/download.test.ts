import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { generateKey } from '../../crypto/keys.ts';
import { writePem } from '../../crypto/pem.ts';
import {
  buildCertificate,
  extendedKeyUsages,
  randomSerialNumber,
} from '../../crypto/x509/build-certificate.ts';
import { nameDer } from '../../crypto/x509/name.ts';
import { type DownloadOptions, download } from './download.ts';

const base = {
  unixSocket: undefined,
  environment: {},
  maxBytes: 1000,
  signal: new AbortController().signal,
};

/** A server on a Unix socket; what it is asked is kept. */
async function onSocket(answer: RequestListener) {
  const directory = await mkdtemp(join(tmpdir(), 'download-'));
  const socket = join(directory, 'http.sock');
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => {
    server.listen(socket, resolve);
  });
  return {
    asked,
    get: (more: Partial<DownloadOptions> = {}) =>
      download({ ...base, url: 'http://host.test/b', unixSocket: socket, ...more }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await rm(directory, { recursive: true });
    },
  };
}

describe('over a Unix socket', () => {
  test('answers the body', async () => {
    await using http = await onSocket((_, response) => response.end('hello'));
    assert.equal(Buffer.from(await http.get()).toString(), 'hello');
    assert.deepEqual(
      http.asked.map(({ url, headers }) => [url, headers.host]),
      [['/b', 'host.test']],
    );
  });

  test('follows redirects over the same socket', async () => {
    await using http = await onSocket((request, response) => {
      if (request.url === '/b') response.writeHead(302, { location: '/c?x=1' }).end();
      else response.end('there');
    });
    assert.equal(Buffer.from(await http.get()).toString(), 'there');
    assert.deepEqual(
      http.asked.map(({ url }) => url),
      ['/b', '/c?x=1'],
    );
  });

  const refusals: readonly [why: string, answer: RequestListener, message: string | RegExp][] = [
    [
      'a status that is not 200',
      (_, response) => response.writeHead(404).end('no'),
      'error downloading trust bundle: 404 Not Found',
    ],
    [
      'no content',
      (_, response) => response.writeHead(204).end(),
      'error downloading trust bundle: 204 No Content',
    ],
    [
      'redirects without end',
      (_, response) => response.writeHead(302, { location: '/b' }).end(),
      'unable to fetch trust bundle URL http://host.test/b: stopped after 10 redirects',
    ],
    [
      'more than a bundle can be',
      (_, response) => response.end('x'.repeat(1001)),
      'unable to read from trust bundle URL http://host.test/b: longer than 1000 bytes',
    ],
    [
      'an answer that is cut off',
      (_, response) => {
        response.writeHead(200, { 'content-length': '10' }).write('x');
        setImmediate(() => response.destroy());
      },
      /^unable to read from trust bundle URL http:\/\/host\.test\/b: /,
    ],
    [
      'no answer',
      (request) => request.socket.destroy(),
      /^unable to fetch trust bundle URL http:\/\/host\.test\/b: /,
    ],
  ];
  for (const [why, answer, message] of refusals) {
    test(`refuses ${why}`, async () => {
      await using http = await onSocket(answer);
      await assert.rejects(http.get(), { kind: 'unavailable', message });
    });
  }

  test('says when nobody is there', async () => {
    await assert.rejects(
      download({ ...base, url: 'http://host.test/b', unixSocket: '/nonexistent/http.sock' }),
      { message: /^unable to fetch trust bundle URL http:\/\/host\.test\/b: connect ENOENT/ },
    );
  });

  test('ends when the signal aborts', async () => {
    await using http = await onSocket(() => {});
    const gone = new AbortController();
    const answer = http.get({ signal: gone.signal });
    gone.abort();
    await assert.rejects(answer, { kind: 'unavailable' });
  });

  for (const [what, answer] of [
    ['says nothing', () => {}],
    ['stops in the middle', (_, response) => response.writeHead(200).write('half')],
  ] as const satisfies readonly [string, RequestListener][]) {
    test(`gives up a server that ${what}`, async () => {
      await using http = await onSocket(answer);
      await assert.rejects(http.get({ timeoutMilliseconds: 50 }), {
        kind: 'unavailable',
        message: 'unable to fetch trust bundle URL http://host.test/b: no answer within 0.05 s',
      });
    });
  }
});

describe('by https', () => {
  test("verifies the server by the machine's authorities, or by those given", async () => {
    const key = await generateKey('ec-p256');
    const name = nameDer([['CN', 'localhost']]);
    const now = Math.floor(Date.now() / 1000);
    const certificate = await buildCertificate(
      {
        serialNumber: randomSerialNumber(),
        issuer: name,
        subject: name,
        notBefore: now - 60,
        notAfter: now + 3600,
        publicKey: key.publicKey.spki,
        keyUsage: ['digitalSignature', 'keyCertSign'],
        extendedKeyUsage: [extendedKeyUsages.serverAuth],
        basicConstraints: { ca: true },
        uris: [],
        dnsNames: ['localhost'],
      },
      key,
    );
    const cert = writePem('CERTIFICATE', certificate);
    const server = createSecureServer(
      { cert, key: writePem('PRIVATE KEY', key.toPkcs8()) },
      (request, response) => {
        if (request.url === '/away')
          response.writeHead(302, { location: 'http://plain.test' }).end();
        else response.end('secret');
      },
    );
    await new Promise<void>((resolve) => {
      server.listen(0, 'localhost', resolve);
    });
    const url = `https://localhost:${(server.address() as AddressInfo).port}/`;
    try {
      const body = await download({ ...base, url, authorities: [cert] });
      assert.equal(Buffer.from(body).toString(), 'secret');
      await assert.rejects(download({ ...base, url }), {
        message: /^unable to fetch trust bundle URL https:\/\/localhost:\d+\/: .*certificate/,
      });
      await assert.rejects(download({ ...base, url: `${url}away`, authorities: [cert] }), {
        message: /refusing to follow a redirect from https to http:\/\/plain\.test/,
      });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});
