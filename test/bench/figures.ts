export function percentile(values: readonly number[], p: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * p) / 100))];
}

export const median = (values: readonly number[]): number => percentile(values, 50);

/** A whole number as people read it. */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
