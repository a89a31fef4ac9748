import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { eventually } from './programs.ts';

/** Somebody who remembers the lines that come to a port. */
export type Hearer = { readonly port: number; readonly lines: string[] };

/** It closes each connection after its first lines. It ends with the test. */
export async function startHearer(t: TestContext): Promise<Hearer> {
  const lines: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    let text = '';
    socket.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const whole = text.split('\n');
      text = whole.pop() ?? '';
      lines.push(...whole);
      socket.end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, lines };
}

/** Resolves when the other side has closed the connection, whatever became of the line. */
export async function say(port: number, line: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connect(port, '127.0.0.1');
  socket
    .on('error', () => undefined)
    .on('close', () => {
      resolve();
    });
  socket.resume().write(`${line}\n`);
  await promise;
}

/** Says the line to that port until it is heard. */
export async function arrives({ lines }: Hearer, port: number, line: string): Promise<void> {
  lines.length = 0;
  await eventually(async () => {
    await say(port, line);
    return lines.includes(line);
  }, `the line ${line}`);
}
