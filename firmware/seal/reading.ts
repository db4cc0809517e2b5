/** What a reading is made of, for both sides of the seal. */
import { utf8 } from './bytes.js';
import { CborWriter } from './cbor-writer.js';

/** Why a reading was made, when it is not a plain measurement (key 7). */
export const Kind = { start: 1, heartbeat: 2, final: 3, fault: 4, loss: 5 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

/** Labels of a SenML record in CBOR (RFC 8428, section 6). */
export const SenmlLabel = { name: 0, unit: 1, value: 2, text: 3, bool: 4, data: 8 } as const;

/** A SenML record under the names that SenML has for JSON; exactly one of `v`, `vs`, `vb`, `vd` is there. */
export interface SenmlRecord {
  n: string;
  u?: string;
  v?: number;
  vs?: string;
  vb?: boolean;
  vd?: Uint8Array;
}

/** How a record of a number begins: with its name and unit, made once and used for every reading. */
export interface Label {
  /** CBOR: the head of the map, the pairs `0: name` and, when there is one, `1: unit`, and the key `2`. */
  readonly bytes: Uint8Array;
}

/**
 * @param name letters, digits and `-` `:` `.` `/` `_`, beginning with a letter or digit (RFC 8428, section 4.5.1)
 * @param unit as the SenML Units registry has it: `Cel`, `V`, `%RH` …
 * @throws RangeError for any other name
 */
export function label(name: string, unit?: string): Label {
  const nameBytes = utf8(name);
  if (!validName(nameBytes, 0, nameBytes.length)) {
    throw new RangeError(
      `"${name}" is no SenML name: letters, digits and - : . / _, a letter or digit first`,
    );
  }
  const unitBytes = utf8(unit ?? '');
  const writer = new CborWriter(new Uint8Array(nameBytes.length + unitBytes.length + 20));
  writer.map(unitBytes.length > 0 ? 3 : 2);
  writer.uint(SenmlLabel.name);
  writer.utf8(nameBytes);
  if (unitBytes.length > 0) {
    writer.uint(SenmlLabel.unit);
    writer.utf8(unitBytes);
  }
  writer.uint(SenmlLabel.value);
  return { bytes: writer.buffer.slice(0, writer.position) };
}

/** Whether `bytes[from, to)` is a name that SenML allows. */
export function validName(bytes: Uint8Array, from: number, to: number): boolean {
  if (to <= from) return false;
  for (let i = from; i < to; i++) {
    const c = bytes[i];
    const alphanumeric = (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a);
    // - . / : and _
    const joining = c === 0x2d || c === 0x2e || c === 0x2f || c === 0x3a || c === 0x5f;
    if (!alphanumeric && (i === from || !joining)) return false;
  }
  return true;
}
