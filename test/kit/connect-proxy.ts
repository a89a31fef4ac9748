import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';

export type ProxyAnswer = {
  /** The whole head of a refusal; undefined: the connection is made. */
  readonly refusal?: string;
  /** Nothing is answered. */
  readonly silent?: boolean;
};

/** An HTTP proxy on loopback that makes connections to where `targets` says a name is. */
export class ConnectProxy implements AsyncDisposable {
  readonly port: number;
  /** What was asked for: `host:port` and the credentials. */
  readonly asked: { readonly target: string; readonly authorization: string | undefined }[] = [];
  answer: ProxyAnswer = {};
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>, port: number) {
    this.#server = server;
    this.#sockets = sockets;
    this.port = port;
  }

  static async start(targets: Readonly<Record<string, number>>): Promise<ConnectProxy> {
    const sockets = new Set<Socket>();
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('not listening');
    const proxy = new ConnectProxy(server, sockets, address.port);
    server.on('connection', (socket: Socket) => proxy.#keep(socket));
    server.on('connect', (request: IncomingMessage, near: Socket) => {
      const target = request.url ?? '';
      proxy.asked.push({ target, authorization: request.headers['proxy-authorization'] });
      const { refusal, silent } = proxy.answer;
      if (silent === true) return;
      const port = targets[target];
      if (refusal !== undefined || port === undefined) {
        near.end(refusal ?? 'HTTP/1.1 502 Bad Gateway\r\n\r\n');
        return;
      }
      const far = connect(port, '127.0.0.1', () => {
        near.write('HTTP/1.1 200 Connection established\r\nX-Proxy: test\r\n\r\n');
        near.pipe(far).pipe(near);
      });
      proxy.#keep(far);
    });
    return proxy;
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
