import type { MetricKind, Sink } from './sink.ts';
import { statsdName } from './statsd.ts';
import type { UdpLines } from './udp-lines.ts';

/** What DataDog's clients take to fit into a packet of the Internet. */
export const DOG_STATSD_PACKET_BYTES = 1432;

type Form = { readonly type: string; readonly text: (value: number) => string };

/** Counts are whole, times have six places, as SPIRE's client writes them. */
const forms: Record<MetricKind, Form> = {
  counter: { type: 'c', text: (value) => Math.trunc(value).toFixed(0) },
  gauge: { type: 'g', text: (value) => plain(value) },
  sample: { type: 'ms', text: (value) => value.toFixed(6) },
};

/** `parts.joined:1|c|#name:value,name:value` (`reference/server.md` §12). */
export const createDogStatsdSink = ({ push }: Pick<UdpLines, 'push'>): Sink => ({
  open({ kind, key, labels }) {
    const name = statsdName(key);
    const { type, text } = forms[kind];
    const tags = labels.map(([label, value]) => `${label}:${value.replace(/[,|\s]/g, '_')}`);
    const end = `|${type}${tags.length > 0 ? `|#${tags.join(',')}` : ''}\n`;
    return (value) => {
      push(`${name}:${text(value)}${end}`);
    };
  },
});

/** All its digits, without an exponent. */
function plain(value: number): string {
  const text = String(value);
  return text.includes('e') ? value.toFixed(9) : text;
}
