/** Moves devices' positions forward with the entries of the journal. */
import { comparePlaces, type DevicePosition, type Entry } from './entry.js';

/** Takes one entry in; copies of what has been there before count nothing. */
export function track(positions: Map<string, DevicePosition>, entry: Entry): void {
  if (entry.kind === 'handover') return;
  const known = positions.get(entry.device);
  if (entry.kind === 'gap') {
    if (known && comparePlaces(entry.to[0], entry.to[1], known.epoch, known.seq) > 0) known.gaps++;
    return;
  }
  const { epoch, seq, tag8, final } = entry;
  if (!known) {
    positions.set(entry.device, { epoch, seq, tag8, final, readings: 1, gaps: 0 });
  } else if (comparePlaces(epoch, seq, known.epoch, known.seq) > 0) {
    known.epoch = epoch;
    known.seq = seq;
    known.tag8 = tag8;
    known.final = final;
    known.readings++;
  }
}
