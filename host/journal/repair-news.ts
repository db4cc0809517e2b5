/** What a repair says while it goes on. */

/** One thing that was done. */
export type Repair =
  /** A copy without the damage stands in its place; the original is at `movedTo`. */
  | {
      kind: 'mended';
      segment: string;
      movedTo: string;
      bytes: number;
      blankedBytes: number;
      addedBytes: number;
    }
  /** A file has the name that its header gives it. */
  | { kind: 'renamed'; segment: string }
  /** A second file for one segment. */
  | { kind: 'aside'; segment: string; movedTo: string }
  /** A segment that is missing, or readings that are lost without a trace: `check` doesn't count them any more. */
  | { kind: 'noted'; segment: string; detail: string; note: string }
  /** The medium doesn't give it; it stays as it is. */
  | { kind: 'unreadable'; segment: string; detail: string };

export type RepairListener = (repair: Repair) => void | Promise<void>;
