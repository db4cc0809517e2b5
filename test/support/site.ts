import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program, run } from './program.js';

/** A directory that `sovereign init` has made, with ports of its own. */
export class Site {
  readonly directory: string;
  readonly config: string;

  private constructor(directory: string) {
    this.directory = directory;
    this.config = join(directory, 'config.yaml');
  }

  static async create(options: { broker: string; linkPort: number; extra?: string }): Promise<Site> {
    const site = new Site(await mkdtemp(join(tmpdir(), 'sovereign-')));
    const { code, errors } = await run(['init', '--dir', site.directory, '--site', 'test']);
    if (code !== 0) throw new Error(`init failed: ${errors}`);
    const gateway = /^gateway:.*$/m.exec(await readFile(site.config, 'utf8'))![0];
    const text = `site: test
${gateway}
links:
  tcp: { listen: "127.0.0.1:${options.linkPort}" }
journal: { segmentBytes: 131072, maxPendingBytes: 131072, reserveBytes: 0 }
uplink: { broker: "${options.broker}", replayPerSecond: 0, readingTopic: false }
${options.extra ?? ''}`;
    await writeFile(site.config, text);
    return site;
  }

  /** `sovereign COMMAND --config …` as a process. */
  program(args: readonly string[], line?: (line: string) => void): Program {
    return new Program([...args, '--config', this.config], line ? { line } : {});
  }

  run(args: readonly string[]) {
    return run([...args, '--config', this.config]);
  }

  remove(): Promise<void> {
    return rm(this.directory, { recursive: true, force: true });
  }
}
