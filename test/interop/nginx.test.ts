import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { Agent, get } from 'node:https';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { accepts, eventually, freePort, Program } from '../kit/programs.ts';
import { svidFiles } from '../kit/svid-files.ts';
import { missing } from '../kit/toolchain.ts';

type Files = Awaited<ReturnType<typeof svidFiles>>;

const skip = missing('nginx');

test('nginx serves mTLS with files of the agent, through a rotation', { skip }, async (t) => {
  const files = await svidFiles(t, '-x509SVIDTTL', '16');
  const { port, reload } = await startNginx(t, files);
  const first = await ask(files, port);
  assert.equal(first.saw, serialOf(await readFile(files.chain)));
  await eventually(async () => {
    await files.renew();
    return serialOf(await readFile(files.chain)) !== first.own;
  }, 'a new SVID in the files');
  reload();
  // Every request is answered meanwhile.
  await eventually(async () => (await ask(files, port)).own !== first.own, 'the new certificate');
  const anonymous = get({
    host: '127.0.0.1',
    port,
    servername: 'localhost',
    ca: await readFile(files.bundle),
  });
  const [response] = (await once(anonymous, 'response')) as [IncomingMessage];
  assert.match(await text(response), /No required SSL certificate was sent/);
});

const serialOf = (pem: Buffer): string => new X509Certificate(pem).serialNumber;

/** It says which client certificate it saw. */
async function startNginx(t: TestContext, { domain, chain, key, bundle }: Files) {
  const port = await freePort();
  const file = domain.path('nginx.conf');
  await chmod(domain.folder, 0o755);
  await writeFile(
    file,
    `
daemon off;
pid ${domain.path('nginx.pid')};
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path ${domain.path('body')};
  proxy_temp_path ${domain.path('proxy')};
  fastcgi_temp_path ${domain.path('fastcgi')};
  uwsgi_temp_path ${domain.path('uwsgi')};
  scgi_temp_path ${domain.path('scgi')};
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${chain};
    ssl_certificate_key ${key};
    ssl_client_certificate ${bundle};
    ssl_verify_client on;
    location / { return 200 "$ssl_client_serial\n"; }
  }
}
`,
  );
  const nginx = new Program(['nginx', '-c', file]);
  // Its workers end with it when it is asked.
  t.after(() => nginx.stop('SIGTERM'));
  await eventually(() => {
    if (!nginx.running) throw new Error(nginx.output);
    return accepts({ host: '127.0.0.1', port });
  }, 'nginx');
  const reload = () => {
    nginx.child.kill('SIGHUP');
  };
  return { port, reload };
}

/** The serial number of the certificate that nginx shows a client that has one, and what it saw of the client's. */
async function ask(files: Files, port: number): Promise<{ readonly own: string; saw: string }> {
  const [cert, key, ca] = await Promise.all(
    [files.chain, files.key, files.bundle].map((path) => readFile(path)),
  );
  const agent = new Agent({ cert, key, ca });
  const request = get({ agent, host: '127.0.0.1', port, servername: 'localhost' });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const socket = response.socket as TLSSocket;
  const own = socket.getPeerX509Certificate()?.serialNumber ?? '';
  const saw = (await text(response)).trim();
  agent.destroy();
  return { own, saw };
}
