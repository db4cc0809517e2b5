/** One line of the table. */
export interface Row {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What the value stands beside, measured in the same run where it is a speed. */
  readonly reference?: string | number;
}
