/** Renders templates with the real Jinja2, as Home Assistant does: sandboxed, `value` and `value_json` given, the result stripped. */
import { spawnSync } from 'node:child_process';
import type { ExecutionContext } from 'ava';
import { findProgram, notRun } from './needs.js';

export interface Rendering {
  readonly template: string;
  /** What came on the topic. */
  readonly payload: string;
}

const SCRIPT = `
import json, sys
from jinja2.sandbox import ImmutableSandboxedEnvironment
environment = ImmutableSandboxedEnvironment()
out = []
for job in json.load(sys.stdin):
    variables = {"value": job["payload"]}
    try:
        variables["value_json"] = json.loads(job["payload"])
    except ValueError:
        pass
    try:
        out.append({"text": environment.from_string(job["template"]).render(variables).strip()})
    except Exception as error:
        out.append({"error": repr(error)})
json.dump(out, sys.stdout)
`;

/** Whether this machine has it; says why not. */
export function needsJinja(t: ExecutionContext): boolean {
  const python = findProgram('python3');
  if (python !== undefined && spawnSync(python, ['-c', 'import jinja2']).status === 0) return true;
  notRun(t, 'Jinja2 for Python is not installed: apt-get install python3-jinja2');
  return false;
}

/** @throws Error of the first template that fails */
export function render(jobs: readonly Rendering[]): string[] {
  const { stdout, stderr, status } = spawnSync(findProgram('python3') ?? 'python3', ['-c', SCRIPT], {
    input: JSON.stringify(jobs),
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(stderr.toString());
  const results = JSON.parse(stdout.toString()) as { text?: string; error?: string }[];
  return results.map(({ text, error }, index) => {
    if (text === undefined) throw new Error(`${error} in ${jobs[index]?.template}`);
    return text;
  });
}
