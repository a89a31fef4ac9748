/**
 * For whoever wants an answer by callback: outside the promise, so that what the callback throws is an error of its own
 * and no failure to connect.
 */
export function answerBy<T>(
  promise: Promise<T>,
  succeed: (value: T) => void,
  fail: (error: Error) => void,
): void {
  const outside = (answer: () => void) => {
    process.nextTick(answer);
  };
  promise.then(
    (value) => {
      outside(() => {
        succeed(value);
      });
    },
    (error: Error) => {
      outside(() => {
        fail(error);
      });
    },
  );
}
