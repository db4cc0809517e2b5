import test from 'ava';
import { LineReader } from '../../../host/journal/line-reader.js';
import { headerText, MAX_LINE_BYTES } from '../../../host/journal/line-writer.js';
import { Scanner } from '../../../host/journal/scanner.js';
import { MemoryStorage } from '../../fuzz/memory-storage.js';

test('a line behind damage without a line feed is found, however much the damage and however small the buffer', async t => {
  const line = headerText(7, 5, null, new Map());
  for (const damaged of [10, MAX_LINE_BYTES, 2 * MAX_LINE_BYTES - 50, 4 * MAX_LINE_BYTES - 50]) {
    const storage = new MemoryStorage();
    storage.files.set('/s', Buffer.concat([Buffer.alloc(damaged, ' '), line, line]));
    for (const bufferBytes of [0, 1 << 20]) {
      const file = await storage.open('/s', 'read');
      const scanner = new Scanner(file, new LineReader(), 0, await file.size(), bufferBytes);
      const found: number[] = [];
      while (await scanner.fill()) {
        for (let what = scanner.take(); what !== undefined; what = scanner.take())
          if (typeof what === 'object') found.push(scanner.at);
      }
      t.deepEqual(found, [damaged, damaged + line.length], `${damaged} bytes, a buffer of ${bufferBytes}`);
    }
  }
});
