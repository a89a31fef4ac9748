/** What we use of WebAssembly, which TypeScript describes together with browsers only. */
export type WasmMemory = { readonly buffer: ArrayBuffer; grow(pages: number): number };

type WebAssemblyApi = {
  readonly Memory: new (limits: {
    readonly initial: number;
    readonly maximum: number;
  }) => WasmMemory;
  instantiate(
    module: Uint8Array,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ): Promise<{ readonly instance: { readonly exports: Readonly<Record<string, unknown>> } }>;
};

export const webAssembly = (globalThis as unknown as { readonly WebAssembly: WebAssemblyApi })
  .WebAssembly;
