/** Cases that wait for a later issue, which is to take its row away. */
export const laterCases: readonly {
  readonly why: string;
  readonly isOne: (name: string, call: string) => boolean;
}[] = [
  {
    why: 'the public socket does not serve Envoy’s secrets (SDS) yet',
    isOne: (_name, call) => call.startsWith('envoy.service.secret.v3.SecretDiscoveryService/'),
  },
  {
    why: 'there is no admin socket yet: delegated identity, debug, logger',
    isOne: (name) => /^(stranger )?admin[:, ]/.test(name),
  },
  {
    why: 'as above, while an entry comes and goes',
    isOne: (name, call) =>
      name.startsWith('late entry') && call.startsWith('spire.api.agent.delegatedidentity.'),
  },
];
