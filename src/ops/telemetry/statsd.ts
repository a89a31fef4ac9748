import type { MetricKind, Sink } from './sink.ts';
import type { UdpLines } from './udp-lines.ts';

/** What fits into one Ethernet frame, as SPIRE packs it. */
export const STATSD_PACKET_BYTES = 1400;

const types: Record<MetricKind, string> = { counter: 'c', gauge: 'g', sample: 'ms' };

/** `parts.joined.<label values>:1.000000|c` (`reference/server.md` §12). */
export const createStatsdSink = ({ push }: Pick<UdpLines, 'push'>): Sink => ({
  open({ kind, key, labels }) {
    const name = statsdName([...key, ...labels.map(([, value]) => value)]);
    const type = types[kind];
    return (value) => {
      push(`${name}:${value.toFixed(6)}|${type}\n`);
    };
  },
});

/** The label values stand in the name. What would end the name, or the line, becomes `_`. */
export const statsdName = (parts: readonly string[]): string =>
  parts.join('.').replace(/[:\s|]/g, '_');
