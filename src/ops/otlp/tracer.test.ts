import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Fault } from '../../base/fault.ts';
import { formatTraceparent, noTracer, parseTraceparent, type SpanContext } from '../tracing.ts';
import { createTracer, type EndedSpan } from './tracer.ts';

function world(sampleRatio = 1) {
  const ended: EndedSpan[] = [];
  return { ended, tracer: createTracer({ sampleRatio, onEnd: (span) => ended.push(span) }) };
}

test('what a task starts is part of its span, whatever else runs meanwhile', async () => {
  const { tracer, ended } = world();
  const request = (name: string) =>
    tracer.span(name, async () => {
      await turn();
      await Promise.all([
        tracer.span(`${name} a`, () => turn(undefined)),
        tracer.span(`${name} b`, () => turn(undefined)),
      ]);
    });
  await Promise.all([request('one'), request('two')]);
  for (const name of ['one', 'two']) {
    const root = ended.find((span) => span.name === name);
    const parts = ended.filter((span) => span.name.startsWith(`${name} `));
    assert.equal(root?.parentSpanId, undefined);
    assert.equal(parts.length, 2);
    for (const part of parts) {
      assert.equal(part.parentSpanId, root?.context.spanId);
      assert.equal(part.context.traceId, root?.context.traceId);
      assert.ok(part.startedAt >= (root?.startedAt ?? Infinity));
      assert.ok(part.endedAt <= (root?.endedAt ?? 0));
    }
  }
  assert.equal(new Set(ended.map(({ context }) => context.traceId)).size, 2);
  assert.equal(tracer.current(), undefined);
});

test('a span tells what its task threw, and passes it on', async () => {
  const { tracer, ended } = world();
  const failure = new Fault('denied', 'no identity issued');
  await assert.rejects(
    tracer.span('x', () => Promise.reject(failure)),
    failure,
  );
  assert.equal(ended[0]?.failure, 'PermissionDenied: no identity issued');
});

test('a span can be part of one that is elsewhere, and of none', async () => {
  const { tracer, ended } = world();
  const parent: SpanContext = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true };
  await tracer.span('outer', async () => {
    await tracer.span('elsewhere', async () => {}, { parent });
    await tracer.span('alone', async () => {}, { parent: undefined });
  });
  const [elsewhere, alone, outer] = ended;
  assert.equal(elsewhere?.parentSpanId, parent.spanId);
  assert.equal(elsewhere?.context.traceId, parent.traceId);
  assert.equal(alone?.parentSpanId, undefined);
  assert.notEqual(alone?.context.traceId, outer?.context.traceId);
});

test('of a trace that is not sampled nothing is kept, and it still goes on', async () => {
  const { tracer, ended } = world(0);
  await tracer.span('x', async (span) => {
    span.set({ a: 1 });
    assert.equal(tracer.current()?.sampled, false);
    await tracer.span('y', async () => {});
  });
  const parent: SpanContext = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled: true };
  await tracer.span('a sampled caller', async () => {}, { parent });
  assert.deepEqual(
    ended.map(({ name }) => name),
    ['a sampled caller'],
  );
});

test('such a share of the traces is sampled', async () => {
  const { tracer, ended } = world(0.25);
  for (let i = 0; i < 4000; i++) await tracer.span('x', async () => {});
  assert.ok(ended.length > 800 && ended.length < 1200, String(ended.length));
});

test('an answer ends the span of the call, not those in it, and once', async () => {
  const { tracer, ended } = world();
  await tracer.span(
    'call',
    async () => {
      await tracer.span('part', async () => {
        tracer.answered();
        assert.deepEqual(
          ended.map(({ name }) => name),
          ['call'],
        );
      });
      tracer.answered();
    },
    { kind: 'server' },
  );
  assert.deepEqual(
    ended.map(({ name }) => name),
    ['call', 'part'],
  );
});

test('no tracer runs the task, and that is all', async () => {
  assert.equal(await noTracer.span('x', async () => 7), 7);
  assert.equal(noTracer.current(), undefined);
});

const [trace, span] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
test('a header names a span (W3C Trace Context)', () => {
  const context = { traceId: trace, spanId: span, sampled: true };
  assert.equal(formatTraceparent(context), `00-${trace}-${span}-01`);
  assert.deepEqual(parseTraceparent(`00-${trace}-${span}-01`), context);
  assert.deepEqual(parseTraceparent(`00-${trace}-${span}-02`), { ...context, sampled: false });
  assert.deepEqual(parseTraceparent(`cc-${trace}-${span}-01-of a later version`), context);
});
for (const text of [
  '',
  `00-${trace}-${span}`,
  `00-${trace}-${span}-1`,
  `00-${trace}-${span}-01-x`,
  `ff-${trace}-${span}-01`,
  `00-${'0'.repeat(32)}-${span}-01`,
  `00-${trace}-${'0'.repeat(16)}-01`,
  `00-${trace.toUpperCase()}-${span}-01`,
  `00-${trace}-${span}-01\n`,
]) {
  test(`"${text}" names none`, () => {
    assert.equal(parseTraceparent(text), undefined);
  });
}
