/**
 * The one type of operating errors: something outside the program is wrong and somebody can mend it.
 *
 * Untrusted bytes never become a Fault: they give verdicts. Programmer errors are assertions.
 */
export class Fault extends Error {
  /** Stable, lower case, words joined by `-`: what programs may test for. */
  readonly code: string;
  /** What the user can do about it, one sentence; empty when there is nothing to do. */
  readonly remedy: string;

  /**
   * @param code for programs, e.g. `keyring-readable`
   * @param message what is wrong: names the argument, what was expected and what came
   * @param remedy what to do about it
   * @param cause the error below this one
   */
  constructor(code: string, message: string, remedy = '', cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Fault';
    this.code = code;
    this.remedy = remedy;
  }
}

/** The system's code of an error (`ENOSPC`, `EIO`, …), or an empty string. */
export function systemCode(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
}
