/** What the calls of several connections may take together. Whose connections these are, the server's owner says. */
export interface CallBudget {
  /** One more call; false if there are too many: then it is refused, and not counted. */
  open(): boolean;
  /** A call that was counted is over. */
  close(): void;
  /** So many bytes more of requests, or fewer; false if that is too much: then they are not counted. */
  hold(bytes: number): boolean;
}

export const noBudget: CallBudget = { open: () => true, close() {}, hold: () => true };
