/** Cases that wait for a later issue, which is to take its row away. */
export const laterCases: readonly {
  readonly why: string;
  readonly isOne: (name: string, call: string) => boolean;
}[] = [
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
