/** The fleet as it was told last. */
import type { FleetChange, FleetDevice, FleetItem, FleetStatus } from '../messages.js';

export class FleetStore {
  /** Absent until the gateway has told it. */
  status: FleetStatus | undefined;
  readonly devices = new Map<string, FleetDevice>();
  /** By how much the gateway's clock is ahead of the browser's, ms. */
  #aheadMs = 0;
  readonly #listeners = new Set<() => void>();

  /** By the gateway's clock, Unix ms. */
  get now(): number {
    return Date.now() + this.#aheadMs;
  }

  /** Calls `listener` after each change, until the function that it returns is called. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  apply(item: FleetItem): void {
    this.status = item.status;
    this.#aheadMs = item.status.clock.at - Date.now();
    if (item.whole) this.devices.clear();
    for (const change of item.devices)
      this.devices.set(change.id, merged(this.devices.get(change.id), change));
    for (const id of item.gone) this.devices.delete(id);
    for (const listener of this.#listeners) listener();
  }
}

/** `null` takes a field away. */
export function merged(device: FleetDevice | undefined, change: FleetChange): FleetDevice {
  const next: Record<string, unknown> = { ...device };
  for (const [key, value] of Object.entries(change))
    if (value === null) delete next[key];
    else next[key] = value;
  return next as unknown as FleetDevice;
}
