import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A port behind which now this server answers, now that one, or nobody. */
export class Switch implements AsyncDisposable {
  readonly port: number;
  readonly #close: () => Promise<void>;
  readonly #sockets: Set<Socket>;
  #target: number | undefined;

  private constructor(port: number, sockets: Set<Socket>, close: () => Promise<void>) {
    this.port = port;
    this.#sockets = sockets;
    this.#close = close;
  }

  static async to(port: number): Promise<Switch> {
    const sockets = new Set<Socket>();
    const track = (socket: Socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => sockets.delete(socket));
      return socket;
    };
    const server = createServer((client) => {
      track(client);
      const target = self.#target;
      if (target === undefined) {
        client.destroy();
        return;
      }
      const upstream = track(connect(target, '127.0.0.1'));
      client.pipe(upstream).pipe(client);
      client.once('close', () => upstream.destroy());
      upstream.once('close', () => client.destroy());
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const self: Switch = new Switch((server.address() as AddressInfo).port, sockets, async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
      });
      for (const socket of sockets) socket.destroy();
      await closed;
    });
    self.turnTo(port);
    return self;
  }

  /** Whoever was connected is not any more. Undefined: connections end at once. */
  turnTo(port: number | undefined): void {
    this.#target = port;
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }
}
