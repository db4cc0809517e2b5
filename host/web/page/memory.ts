/** What the browser keeps for the page. One that keeps nothing throws at the mere look: then nothing is remembered. */
export function remembered(store: () => Storage, key: string): string | undefined {
  try {
    return store().getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

/** @param value undefined: forget it */
export function remember(store: () => Storage, key: string, value: string | undefined): void {
  try {
    if (value === undefined) store().removeItem(key);
    else store().setItem(key, value);
  } catch {
    // It holds until the page is closed.
  }
}
