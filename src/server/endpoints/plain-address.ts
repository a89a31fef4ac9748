/** Listening on `::` shows IPv4 peers as IPv6. */
export const plainAddress = (address: string): string =>
  address.replace(/^::ffff:(?=[\d.]+$)/i, '');
