import { spawnSync } from 'node:child_process';

/**
 * What runs a program with faults in its system calls: as our child, with strace as its grandchild.
 * @param paths calls on these files alone; none: on all
 */
export function underStrace(
  strace: string,
  rules: readonly string[],
  output: string,
  paths: readonly string[] = [],
): string[] {
  const calls = [...new Set(rules.map(rule => rule.slice(0, rule.indexOf(':'))))];
  // Only these calls stop, all others run at their own speed.
  const quiet = ['-D', '-f', '-qq', '--seccomp-bpf', '-o', output, '-e', `trace=${calls.join(',')}`];
  return [
    strace,
    ...quiet,
    ...paths.flatMap(path => ['-P', path]),
    ...rules.flatMap(rule => ['-e', `inject=${rule}`]),
  ];
}

/** '' where tracing is allowed, else why not. */
export function mayTrace(strace: string): string {
  const { status, stderr } = spawnSync(strace, ['-D', '-f', '-qq', '-o', '/dev/null', 'true'], {
    encoding: 'utf8',
    timeout: 10_000,
  });
  return status === 0 ? '' : `strace may not trace here: ${stderr.trim() || `status ${status}`}`;
}

/** How many calls were injected into, as the trace tells. */
export function injected(trace: string): number {
  return trace.split('\n').filter(line => /\((INJECTED|DELAYED)\)/.test(line)).length;
}
