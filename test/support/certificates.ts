/** Certificate authorities of tests, by the program openssl. */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CURVE = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export interface IssueOptions {
  /** As in a subjectAltName. */
  readonly names?: readonly string[];
  readonly from?: Date;
  readonly to?: Date;
}

/** Paths of what was issued, and the texts. */
export interface Issued {
  readonly certFile: string;
  readonly keyFile: string;
  readonly cert: string;
  readonly key: string;
}

export class Authority {
  /** Its own certificate. */
  readonly file: string;
  readonly #directory: string;
  #issued = 0;

  private constructor(directory: string) {
    this.#directory = directory;
    this.file = join(directory, 'ca.pem');
  }

  /** A new authority whose own certificate holds from 1990 on: clocks may be wrong by decades. */
  static async create(parent: string, name: string): Promise<Authority> {
    const directory = join(parent, name);
    await mkdir(directory);
    const authority = new Authority(directory);
    await writeFile(join(directory, 'index.txt'), '');
    await writeFile(join(directory, 'serial'), '01\n');
    await writeFile(
      join(directory, 'ca.conf'),
      `[ca]
default_ca = own
[own]
database = ${directory}/index.txt
serial = ${directory}/serial
new_certs_dir = ${directory}
certificate = ${directory}/ca.pem
private_key = ${directory}/ca.key
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
`,
    );
    await authority.#request('ca', `/CN=${name}`, []);
    await authority.#sign('ca', new Date('1990-01-01'), new Date('2199-01-01'), [
      '-selfsign',
      '-extensions',
      'authority',
    ]);
    return authority;
  }

  text(): Promise<string> {
    return readFile(this.file, 'utf8');
  }

  async issue(name: string, options: IssueOptions = {}): Promise<Issued> {
    const { names = ['DNS:localhost', 'IP:127.0.0.1'] } = options;
    const { from = new Date(Date.now() - 3_600_000), to = new Date(from.getTime() + 86_400_000) } = options;
    const base = `${name}-${++this.#issued}`;
    await this.#request(base, `/CN=${name}`, ['-addext', `subjectAltName=${names.join(',')}`]);
    await this.#sign(base, from, to, []);
    const [certFile, keyFile] = [`${base}.pem`, `${base}.key`].map(file => join(this.#directory, file));
    return {
      certFile,
      keyFile,
      cert: await readFile(certFile, 'utf8'),
      key: await readFile(keyFile, 'utf8'),
    };
  }

  async #request(base: string, subject: string, more: readonly string[]): Promise<void> {
    const at = (suffix: string) => join(this.#directory, base + suffix);
    await run('openssl', [
      'req',
      ...CURVE,
      '-keyout',
      at('.key'),
      '-out',
      at('.csr'),
      '-subj',
      subject,
      ...more,
    ]);
  }

  async #sign(base: string, from: Date, to: Date, more: readonly string[]): Promise<void> {
    const at = (suffix: string) => join(this.#directory, base + suffix);
    const config = ['-config', join(this.#directory, 'ca.conf'), '-batch', '-notext'];
    const dates = ['-startdate', asn1(from), '-enddate', asn1(to)];
    await run('openssl', ['ca', ...config, ...dates, '-in', at('.csr'), '-out', at('.pem'), ...more]);
  }
}

/** GeneralizedTime, in seconds. */
const asn1 = (date: Date) => `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`;
