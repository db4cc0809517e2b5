/**
 * Runs on the engine, like everything in this folder: no Node here.
 *
 * What a script puts here, the harness can call by name; arguments and results are JSON values.
 */
declare const exported: Record<string, (...args: never[]) => unknown>;

export function offer(functions: Record<string, (...args: never[]) => unknown>): void {
  Object.assign(exported, functions);
}
