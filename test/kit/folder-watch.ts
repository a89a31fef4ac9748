import { watch } from 'node:fs';

/** Sees whatever is done to files of a folder: made, written to, renamed, removed. */
export class FolderWatch implements Disposable {
  readonly #watcher;
  readonly #waiting: { left: number; readonly resolve: () => void }[] = [];

  /** Of files with such names only. The folder must exist. */
  constructor(folder: string, name: RegExp) {
    this.#watcher = watch(folder, (_event, file) => {
      if (file !== null && name.test(file)) this.#saw();
    });
  }

  /** Resolves when so many more things were done. One write of a whole file is several of them. */
  seen(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ left: count, resolve });
    });
  }

  [Symbol.dispose](): void {
    this.#watcher.close();
  }

  #saw(): void {
    for (const one of this.#waiting) {
      if (--one.left === 0) one.resolve();
    }
  }
}
