/** Certificates of the configuration: whether they can be used, and for how long. */
import type { Config } from '../../config.js';
import { Fault } from '../../fault.js';
import { certificateOf, tlsTextsFault } from '../../node/broker-tls.js';
import { systemClock } from '../../node/clock.js';
import { readTextFile } from '../../node/text-file.js';
import type { Finding } from './finding.js';

const MAX_BYTES = 256 * 1024;
const DAY_MS = 86_400_000;
/** Somebody has to have them renewed. */
export const SOON_MS = 30 * DAY_MS;

interface Files {
  readonly section: string;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export async function checkCertificates(config: Config, now = systemClock.now()): Promise<Finding[]> {
  const { uplink, links, web } = config;
  const own = links.mqtt?.broker === uplink?.broker ? undefined : links.mqtt;
  const sections: Files[] = [
    { section: 'uplink', ...filesOf(uplink) },
    { section: 'links.mqtt', ...filesOf(own) },
    { section: 'web', ...filesOf(web) },
  ];
  return (await Promise.all(sections.map(files => checkSection(files, now)))).flat();
}

const filesOf = (of: Omit<Files, 'section'> | undefined) => ({ ca: of?.ca, cert: of?.cert, key: of?.key });

async function checkSection({ section, ca, cert, key }: Files, now: number): Promise<Finding[]> {
  const check = 'tls';
  if (ca === undefined && cert === undefined) return [];
  try {
    const texts = {
      ...(await textOf('ca', ca)),
      ...(await textOf('cert', cert)),
      ...(await textOf('key', key, 'secret')),
    };
    const fault = tlsTextsFault(texts, now);
    if (fault !== undefined)
      return [{ check, state: 'wrong', text: `${section}: ${fault.message}`, remedy: fault.remedy }];
    return Object.entries({ ca: texts.ca, cert: texts.cert }).flatMap(([setting, text]) =>
      text === undefined ? [] : [checkDates(`${section}.${setting}`, text, now)],
    );
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return [{ check, state: 'wrong', text: `${section}: ${error.message}`, remedy: error.remedy }];
  }
}

/** A file that is not there is told where the broker or the page is looked at. */
async function textOf<K extends 'ca' | 'cert' | 'key'>(
  setting: K,
  path: string | undefined,
  confidence: 'public' | 'secret' = 'public',
): Promise<{ [S in K]?: string }> {
  const text = path === undefined ? undefined : await readTextFile(path, MAX_BYTES, confidence);
  return (text === undefined ? {} : { [setting]: text }) as { [S in K]?: string };
}

function checkDates(setting: string, pem: string, now: number): Finding {
  const check = 'tls';
  const ends = Date.parse(certificateOf(pem)?.validTo ?? '');
  const day = dayText(ends);
  if (ends < now)
    return { check, state: 'wrong', text: `${setting} has expired on ${day}`, remedy: 'have it renewed' };
  if (ends - now < SOON_MS) {
    const remedy = 'have it renewed before then';
    return { check, state: 'note', text: `${setting} expires on ${day}`, remedy };
  }
  return { check, state: 'ok', text: `${setting} is valid until ${day}` };
}

export const dayText = (time: number) => new Date(time).toISOString().slice(0, 10);
