import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Program, type ProgramOptions, run } from './program.js';

export interface SiteOptions {
  readonly broker: string;
  /** Where the gateway listens for devices. */
  readonly linkPort: number;
  /** Instead of that, what stands in `links`. */
  readonly links?: string;
  /** More settings of the uplink and of the journal: `, name: value …` */
  readonly uplink?: string;
  readonly journal?: string;
  /** More lines of the configuration. */
  readonly extra?: string;
}

/** A directory that `sovereign init` has made, with ports of its own. */
export class Site {
  readonly directory: string;
  readonly config: string;

  private constructor(directory: string) {
    this.directory = directory;
    this.config = join(directory, 'config.yaml');
  }

  static async create(options: SiteOptions): Promise<Site> {
    const site = new Site(await mkdtemp(join(tmpdir(), 'sovereign-')));
    const { code, errors } = await run(['init', '--dir', site.directory, '--site', 'test']);
    if (code !== 0) throw new Error(`init failed: ${errors}`);
    const gateway = /^gateway:.*$/m.exec(await readFile(site.config, 'utf8'))![0];
    const links = options.links ?? `tcp: { listen: "127.0.0.1:${options.linkPort}" }`;
    const text = `site: test
${gateway}
links: { ${links} }
journal: { segmentBytes: 131072, maxPendingBytes: 131072, reserveBytes: 0${options.journal ?? ''} }
uplink: { broker: "${options.broker}", replayPerSecond: 0, readingTopic: false${options.uplink ?? ''} }
${options.extra ?? ''}`;
    await writeFile(site.config, text);
    return site;
  }

  /** `sovereign COMMAND --config …` as a process. */
  program(args: readonly string[], options: ProgramOptions = {}): Program {
    return new Program([...args, '--config', this.config], options);
  }

  run(args: readonly string[], options: ProgramOptions = {}) {
    return run([...args, '--config', this.config], options);
  }

  remove(): Promise<void> {
    return rm(this.directory, { recursive: true, force: true });
  }
}
