import { Fault, reasonOf } from '../../base/fault.ts';
import { type WasmMemory, webAssembly } from './web-assembly.ts';

/** A policy that was compiled to WebAssembly, with the data that it is about. */
export interface CompiledPolicy {
  /** The value of `data.spire.result` for an input, which is JSON text; undefined: it has none. Throws 'unknown'. */
  evaluate(input: string): unknown;
}

/** `data.spire.result`, as `opa build -e` wants it named. */
const ENTRY_POINT = 'spire/result';

/** A request of the largest size, several times over; what needs more fails, and the call with it. */
const MAX_MEMORY_BYTES = 64 * 1024 * 1024;
const PAGE_BYTES = 64 * 1024;

/** From this minor version on a policy is evaluated by one call (openpolicyagent.org/docs/wasm). */
const MIN_MINOR_VERSION = 2;

/** What we use of a module (openpolicyagent.org/docs/wasm#exports). Addresses and lengths are numbers. */
type Exports = {
  readonly opa_wasm_abi_version: { readonly value: unknown };
  readonly opa_wasm_abi_minor_version: { readonly value: unknown };
  entrypoints(): number;
  builtins(): number;
  opa_malloc(length: number): number;
  opa_json_parse(address: number, length: number): number;
  opa_json_dump(address: number): number;
  opa_heap_ptr_get(): number;
  opa_eval(
    reserved: 0,
    entrypoint: number,
    data: number,
    input: number,
    inputLength: number,
    heap: number,
    format: 0,
  ): number;
};

const EXPORTS = [
  'opa_wasm_abi_version',
  'opa_wasm_abi_minor_version',
  'entrypoints',
  'builtins',
  'opa_malloc',
  'opa_json_parse',
  'opa_json_dump',
  'opa_heap_ptr_get',
  'opa_eval',
] as const satisfies readonly (keyof Exports)[];

/** Loads a module and gives it its data, which is JSON text. Throws 'invalid' for what is no such policy. */
export async function loadCompiledPolicy(
  wasm: Uint8Array,
  data: Uint8Array,
): Promise<CompiledPolicy> {
  const memory = new webAssembly.Memory({
    initial: 2,
    maximum: MAX_MEMORY_BYTES / PAGE_BYTES,
  });
  const module = await instantiate(wasm, memory);
  checkAbi(module);
  const readJson = (address: number): unknown => JSON.parse(textAt(memory, address));
  checkBuiltIns(readJson(module.opa_json_dump(module.builtins())));
  const entryPoint = findEntryPoint(readJson(module.opa_json_dump(module.entrypoints())));
  const dataAddress = putData(module, memory, data);
  // Everything above this is forgotten with each evaluation.
  const heapStart = module.opa_heap_ptr_get();
  return {
    evaluate(input) {
      try {
        const bytes = new TextEncoder().encode(input);
        write(memory, heapStart, bytes);
        const heap = aligned(heapStart + bytes.length);
        const address = module.opa_eval(
          0,
          entryPoint,
          dataAddress,
          heapStart,
          bytes.length,
          heap,
          0,
        );
        return resultOf(readJson(address));
      } catch (error) {
        throw new Fault('unknown', `policy: ${reasonOf(error)}`, { cause: error });
      }
    },
  };
}

async function instantiate(wasm: Uint8Array, memory: WasmMemory): Promise<Exports> {
  const absent = (): never => {
    throw new Error('the policy calls a function that is not in it');
  };
  const env = {
    memory,
    opa_abort: (address: number): never => {
      throw new Error(textAt(memory, address));
    },
    opa_println: () => undefined,
    ...Object.fromEntries([0, 1, 2, 3, 4].map((count) => [`opa_builtin${count}`, absent])),
  };
  try {
    const { instance } = await webAssembly.instantiate(wasm, { env });
    const missing = EXPORTS.find((name) => !(name in instance.exports));
    if (missing !== undefined) throw new Error(`it has no ${missing}`);
    return instance.exports as unknown as Exports;
  } catch (error) {
    throw new Fault(
      'invalid',
      `not a policy that was compiled to WebAssembly: ${reasonOf(error)}`,
      {
        cause: error,
      },
    );
  }
}

function checkAbi(module: Exports): void {
  const major = Number(module.opa_wasm_abi_version.value);
  const minor = Number(module.opa_wasm_abi_minor_version.value);
  if (major === 1 && minor >= MIN_MINOR_VERSION) return;
  throw new Fault('invalid', `the policy is of ABI ${major}.${minor}; compile it with a newer opa`);
}

/** Functions that a policy expects of whoever runs it; we have none, so that it can do nothing but decide. */
function checkBuiltIns(builtIns: unknown): void {
  const names = Object.keys(builtIns ?? {}).sort();
  if (names.length === 0) return;
  throw new Fault(
    'invalid',
    `the policy uses functions that are not compiled into it: ${names.join(', ')}`,
  );
}

function findEntryPoint(entryPoints: unknown): number {
  const found = new Map(Object.entries(entryPoints ?? {})).get(ENTRY_POINT) as unknown;
  if (typeof found === 'number') return found;
  throw new Fault(
    'invalid',
    `the policy has no entry point ${ENTRY_POINT}; compile it with: opa build -t wasm -e ${ENTRY_POINT}`,
  );
}

function putData(module: Exports, memory: WasmMemory, data: Uint8Array): number {
  let parsed = 0;
  try {
    const address = module.opa_malloc(data.length);
    write(memory, address, data);
    parsed = module.opa_json_parse(address, data.length);
  } catch (error) {
    throw new Fault('invalid', `the policy cannot hold its data: ${reasonOf(error)}`, {
      cause: error,
    });
  }
  if (parsed === 0) throw new Fault('invalid', 'the data of the policy is not JSON');
  return parsed;
}

/** Grows the memory where it has to. Throws a RangeError beyond its maximum. */
function write(memory: WasmMemory, address: number, bytes: Uint8Array): void {
  const lacking = address + bytes.length - memory.buffer.byteLength;
  if (lacking > 0) memory.grow(Math.ceil(lacking / PAGE_BYTES));
  new Uint8Array(memory.buffer).set(bytes, address);
}

/** Up to the zero byte that ends it. */
function textAt(memory: WasmMemory, address: number): string {
  const bytes = new Uint8Array(memory.buffer);
  const end = bytes.indexOf(0, address);
  return new TextDecoder().decode(bytes.subarray(address, end === -1 ? address : end));
}

const WORD_BYTES = 8;
const aligned = (address: number): number => Math.ceil(address / WORD_BYTES) * WORD_BYTES;

/** A set of results: of one entry point there is one, or none where it is undefined. */
const resultOf = (results: unknown): unknown =>
  Array.isArray(results) ? (results[0] as { result?: unknown } | undefined)?.result : undefined;
