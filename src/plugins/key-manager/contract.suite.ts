import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KeyType, verifySignature } from '../../crypto/keys.ts';
import type { KeyManager, ManagedKey } from './contract.ts';

/** What every key manager promises. `open` makes one without keys for each test; the suite closes it. */
export function keyManagerSuite(name: string, open: () => Promise<KeyManager>): void {
  const spec = (what: string, run: (keyManager: KeyManager) => Promise<void>) => {
    test(`the key manager ${name} ${what}`, async () => {
      await using keyManager = await open();
      await run(keyManager);
    });
  };

  const types: [KeyType, string][] = [
    ['ec-p256', 'ec-p256'],
    ['ec-p384', 'ec-p384'],
    ['rsa-2048', 'rsa'],
    ['rsa-4096', 'rsa'],
  ];
  for (const [keyType, kind] of types) {
    spec(
      `makes and keeps a key of type ${keyType}, whose signatures verify`,
      async (keyManager) => {
        const key = await keyManager.generateKey('a', keyType);
        assert.equal(key.id, 'a');
        assert.equal(key.keyType, keyType);
        assert.equal(key.publicKey.kind, kind);
        const found = await keyManager.getKey('a');
        assert.ok(found);
        assertSame(found, key);
        for (const hash of ['sha256', 'sha384', 'sha512'] as const) {
          const message = Buffer.from('message');
          const signature = await found.sign(message, hash);
          assert.equal(await verifySignature(key.publicKey, hash, message, signature), true);
        }
      },
    );
  }

  spec('has no key under an ID that it does not know', async (keyManager) => {
    assert.equal(await keyManager.getKey('none'), undefined);
    assert.deepEqual(await keyManager.getKeys(), []);
  });

  spec('lists its keys by ID', async (keyManager) => {
    for (const id of ['x509-CA-B', 'JWT-Signer-A', 'x509-CA-A', 'ä', 'z']) {
      await keyManager.generateKey(id, 'ec-p256');
    }
    const ids = (await keyManager.getKeys()).map(({ id }) => id);
    assert.deepEqual(ids, ['JWT-Signer-A', 'x509-CA-A', 'x509-CA-B', 'z', 'ä']);
  });

  spec('replaces the key under an ID; one in use goes on signing', async (keyManager) => {
    const old = await keyManager.generateKey('a', 'ec-p256');
    const renewed = await keyManager.generateKey('a', 'ec-p384');
    assert.notDeepEqual(old.publicKey.spki, renewed.publicKey.spki);
    assert.equal((await keyManager.getKey('a'))?.keyType, 'ec-p384');
    assert.equal((await keyManager.getKeys()).length, 1);
    const message = Buffer.from('message');
    const signature = await old.sign(message, 'sha256');
    assert.equal(await verifySignature(old.publicKey, 'sha256', message, signature), true);
  });

  spec('makes several keys at once', async (keyManager) => {
    const ids = ['a', 'b', 'c', 'd', 'e'];
    await Promise.all(ids.map((id) => keyManager.generateKey(id, 'ec-p256')));
    assert.deepEqual(
      (await keyManager.getKeys()).map(({ id }) => id),
      ids,
    );
  });

  spec('refuses an empty ID', async (keyManager) => {
    await assert.rejects(keyManager.generateKey('', 'ec-p256'), {
      kind: 'invalid',
      message: `keymanager(${name}): failed to generate key: key id is required`,
    });
    await assert.rejects(keyManager.getKey(''), {
      kind: 'invalid',
      message: `keymanager(${name}): key id is required`,
    });
  });
}

export function assertSame(found: ManagedKey | undefined, expected: ManagedKey): void {
  assert.ok(found);
  assert.equal(found.id, expected.id);
  assert.equal(found.keyType, expected.keyType);
  assert.equal(Buffer.compare(found.publicKey.spki, expected.publicKey.spki), 0);
}
