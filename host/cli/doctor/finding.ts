/** One thing looked at. `note`: works without, or nobody can tell; `wrong`: the gateway will not work so. */
export interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'note' | 'wrong';
  readonly text: string;
  readonly remedy?: string;
}
