import type { TestContext } from 'node:test';
import { silentLog } from '../../src/ops/log.ts';
import { createRpcServer, type RpcCall } from '../../src/rpc/serve.ts';
import type { BoundService } from '../../src/rpc/service.ts';
import { listenUnix } from '../../src/rpc/unix-socket.ts';
import type { FakeService } from './run-command.ts';

type AnyClient = Readonly<Record<string, (request: unknown, options: object) => unknown>>;

/** Serves fakes on a Unix socket until the test ends. The result lists the calls that came, with their metadata. */
export async function serveAnswers(
  t: TestContext,
  path: string,
  fakes: readonly FakeService[],
): Promise<readonly RpcCall<undefined>[]> {
  const calls: RpcCall<undefined>[] = [];
  const rpc = createRpcServer<undefined, undefined>({
    services: fakes.map(bound),
    intercept(call, proceed) {
      calls.push(call);
      return proceed(undefined);
    },
    log: silentLog,
  });
  const listener = await listenUnix(path, {
    mode: 0o777,
    directoryMode: 0o755,
    onConnection: (socket) => {
      rpc.inject(socket, undefined);
    },
  });
  t.after(async () => {
    listener.close();
    await rpc.shutDown(0);
  });
  return calls;
}

const bound = ({ service, client }: FakeService): BoundService<undefined> => ({
  desc: service,
  methods: service.methods.map((desc) => ({
    desc,
    handle: (request) => (client as AnyClient)[desc.localName]?.(request, {}),
  })),
});
