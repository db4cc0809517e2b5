/**
 * The first script that every engine runs. It takes from the global object what boards lack and this worker
 * has (timers, `performance`, the calls of secure ECMAScript), so that code which leans on it fails here too,
 * and keeps what the harness itself needs.
 * Messages are ASCII both ways: inside, XS keeps characters beyond U+FFFF as two surrogates of three bytes each.
 */
export const PRELUDE = `'use strict';
(global => {
  const { asciiBytes, asciiText, gc, heapSlots, heapChunkBytes, heapTaken, limitHeap } = global;
  const { parse, stringify } = JSON;
  const escape = c => '\\\\u' + c.charCodeAt(0).toString(16).padStart(4, '0');
  const ascii = text => text.replace(/[\\u007f-\\uffff]/g, escape);
  for (const name of [
    'asciiBytes', 'asciiText', 'gc', 'heapChunkBytes', 'heapSlots', 'heapTaken', 'limitHeap', 'issueCommand',
    'print', 'performance',
    'setImmediate', 'currentMeterLimit', 'resetMeter', 'harden', 'Compartment', 'ModuleSource', 'trace',
  ]) delete global[name];
  global.exported = {
    '#heap'() {
      gc();
      return { slots: heapSlots(), chunkBytes: heapChunkBytes() };
    },
    // What a call takes and leaves behind for the next collection; a call that sets one off can't be told.
    '#taken'(name, ...args) {
      const call = global.exported[name];
      gc();
      const slots = heapSlots();
      const chunkBytes = heapChunkBytes();
      call(...args);
      return { slots: heapSlots() - slots, chunkBytes: heapChunkBytes() - chunkBytes };
    },
    // From now on the heap is what it is and so many bytes: only in variants that limit it.
    '#limit'(bytes) {
      limitHeap((global.exported['#ballast'] = {}), bytes);
    },
    '#limited': () => heapTaken(),
    '#globals': () => Object.getOwnPropertyNames(global),
  };
  // The worker reads .result only after the promise jobs have run, so asynchronous functions may be called, too.
  global.handleCommand = body => {
    const [name, ...args] = parse(asciiText(body));
    const answer = { result: undefined };
    const give = value => {
      answer.result = value === undefined ? undefined : asciiBytes(ascii(stringify(value)));
    };
    const value = global.exported[name](...args);
    if (value instanceof Promise) value.then(give);
    else give(value);
    return answer;
  };
})(globalThis);
`;
