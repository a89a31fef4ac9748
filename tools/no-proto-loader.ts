/** Stands for a package that is left out of the bundles (`tools/build.ts`). */
export function loadSync(): never {
  throw new Error('@grpc/proto-loader is not part of this build');
}

export const fromJSON = loadSync;
