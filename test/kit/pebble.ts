import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { webFiles } from './bundle-endpoint.ts';
import { accepts, eventually, freePort, Program } from './programs.ts';

/** An ACME server, Let's Encrypt's own for tests, that looks for every domain on this machine. */
export type Pebble = {
  readonly directoryUrl: string;
  /** File with what vouches for the ACME server itself. */
  readonly authority: string;
  /** PEM; what vouches for the certificates that it issues. */
  roots(): Promise<string>;
  stop(): Promise<void>;
};

/** Starts it; it asks for proofs at `tlsPort`. Ends with the test. */
export async function startPebble(t: TestContext, tlsPort: number): Promise<Pebble> {
  const folder = await mkdtemp(join(tmpdir(), 'pebble-'));
  const [acme, management, dns, control] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const { authority } = await webFiles(folder);
  const config = join(folder, 'pebble.json');
  await writeFile(
    config,
    JSON.stringify({
      pebble: {
        listenAddress: `127.0.0.1:${acme}`,
        managementListenAddress: `127.0.0.1:${management}`,
        certificate: join(folder, 'web.pem'),
        privateKey: join(folder, 'web.key'),
        httpPort: await freePort(),
        tlsPort,
        ocspResponderURL: '',
        externalAccountBindingRequired: false,
      },
    }),
  );
  const names = new Program([
    'pebble-challtestsrv',
    '-defaultIPv4=127.0.0.1',
    '-defaultIPv6=',
    `-dns01=127.0.0.1:${dns}`,
    '-http01=',
    '-https01=',
    '-tlsalpn01=',
    `-management=127.0.0.1:${control}`,
  ]);
  const pebble = new Program(['pebble', '-config', config, '-dnsserver', `127.0.0.1:${dns}`], {
    env: { PEBBLE_VA_NOSLEEP: '1' },
  });
  const stop = async () => {
    await Promise.all([pebble.stop('SIGKILL'), names.stop('SIGKILL')]);
  };
  t.after(async () => {
    await stop();
    await rm(folder, { recursive: true, force: true });
  });
  for (const [program, port] of [
    [pebble, management],
    [names, dns],
  ] as const) {
    await eventually(async () => {
      if (!program.running) throw new Error(`it ended at the start:\n${program.output}`);
      return accepts({ host: '127.0.0.1', port });
    }, `port ${port}:\n${program.output}`);
  }
  return {
    directoryUrl: `https://localhost:${acme}/dir`,
    authority,
    roots: async () => fetchText(`https://localhost:${management}/roots/0`, authority),
    stop,
  };
}

async function fetchText(url: string, authority: string): Promise<string> {
  const ca = await readFile(authority, 'utf8');
  return new Promise((resolve, reject) => {
    get(url, { ca, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => {
        resolve(text);
      });
    }).on('error', reject);
  });
}
