import { Fault } from './fault.ts';
import { type Position, positionText } from './hcl/position.ts';

/**
 * What is wrong with a configuration. The message is the reference's first complaint, word for word; `details` are
 * lines that say where, and what else is wrong.
 */
export class ConfigFault extends Fault {
  readonly details: readonly string[];

  constructor(message: string, details: readonly string[] = []) {
    super('invalid', message);
    this.details = details;
  }

  /** All of it, for a person. */
  get report(): string {
    return [this.message, ...this.details.map((line) => `  ${line}`)].join('\n');
  }
}

export type Problem = { readonly text: string; readonly position: Position | undefined };

/** Collects what is wrong, so that all of it can be told at once. */
export class Problems {
  /** Names the file in what is told; '' for text of no file. */
  readonly source: string;
  readonly #found: Problem[] = [];

  constructor(source: string) {
    this.source = source;
  }

  /** In the order in which the reference would find them, since it tells the first one only. */
  add(text: string, position?: Position): void {
    this.#found.push({ text, position });
  }

  get all(): readonly Problem[] {
    return this.#found;
  }

  get none(): boolean {
    return this.#found.length === 0;
  }

  /** `words` makes the first complaint of the first problem's text. */
  throwIfAny(words: (text: string) => string = (text) => text): void {
    const [first, ...others] = this.#found;
    if (first === undefined) return;
    throw new ConfigFault(words(first.text), [
      ...(first.position === undefined ? [] : [`at ${this.#where(first)}`]),
      ...others.map((problem) => {
        const where = this.#where(problem);
        return where === '' ? problem.text : `${where}: ${problem.text}`;
      }),
    ]);
  }

  #where({ position }: Problem): string {
    const place = position === undefined ? [] : [positionText(position)];
    return [...(this.source === '' ? [] : [this.source]), ...place].join(':');
  }
}
