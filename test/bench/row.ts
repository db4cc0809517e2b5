/** One line of the table. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the value stands beside, measured in the same run where it is a speed. */
  readonly reference?: string | number;
  /** What it should be, where something was set, and whether it is. */
  readonly goal?: string;
  readonly met?: boolean;
}

export function share(value: number, of: number): string {
  return `${Math.round((value / of) * 100)} %`;
}
