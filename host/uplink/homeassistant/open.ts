import { DEFAULT_PREFIX } from '../../config/panel.js';
import type { Config } from '../../config.js';
import type { Entry } from '../../journal/entry.js';
import type { Storage } from '../../ports.js';
import { Book } from './book.js';
import { HomeAssistant, type HomeAssistantPorts } from './home-assistant.js';

interface DurableJournal {
  onDurable(listener: (batch: readonly Entry[]) => void): void;
}

/** Undefined when Home Assistant is not wanted, and nothing of an earlier run is left to be taken away. */
export async function openHomeAssistant(
  ports: Omit<HomeAssistantPorts, 'book'> & { readonly storage: Storage; readonly journal: DurableJournal },
  { site, gateway, uplink, homeAssistant, dataDirectory }: Config,
  version: string,
  replaces: readonly string[] = [],
): Promise<HomeAssistant | undefined> {
  if (uplink === undefined) return undefined;
  const book = await Book.open(ports.storage, ports.log, dataDirectory);
  const off = homeAssistant === undefined;
  if (off && book.empty && replaces.length === 0) return undefined;
  const prefix = homeAssistant?.prefix ?? DEFAULT_PREFIX;
  const companion = new HomeAssistant(
    { ...ports, book },
    { names: { prefix, site, gateway }, version, replaces, off },
  );
  if (!off) ports.journal.onDurable(batch => companion.observe(batch));
  return companion;
}
