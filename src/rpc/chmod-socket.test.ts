import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, link, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../../test/kit/temp-dir.ts';
import { chmodSocket } from './chmod-socket.ts';

test('the mode of a socket is set', async (t) => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 's');
  const server = createServer().listen(path);
  t.after(() => server.close());
  await once(server, 'listening');
  for (const mode of [0o777, 0o700]) {
    await chmodSocket(path, mode);
    assert.equal((await stat(path)).mode & 0o777, mode);
  }
});

for (const what of ['symbolic link', 'hard link', 'file'] as const) {
  test(`a ${what} in its place is left alone, and so is what it leads to`, async () => {
    await using folder = await temporaryFolder();
    const [path, secret] = [join(folder.path, 's'), join(folder.path, 'secret')];
    await writeFile(secret, '');
    await chmod(secret, 0o600);
    if (what === 'symbolic link') await symlink(secret, path);
    else if (what === 'hard link') await link(secret, path);
    else await writeFile(path, '', { mode: 0o600 });
    await assert.rejects(chmodSocket(path, 0o777), { kind: 'failed-precondition' });
    for (const file of [path, secret]) assert.equal((await stat(file)).mode & 0o777, 0o600);
    await rm(path);
    await assert.rejects(chmodSocket(path, 0o777), { code: 'ENOENT' });
  });
}
