import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import test from 'ava';
import * as seal from '../../firmware/seal/index.js';
import type * as Vectors from '../vectors/types.js';
import { hex, vectors } from './support.js';

const text = readFileSync(new URL('../../../firmware/seal/README.md', import.meta.url), 'utf8');
const example = text.slice(text.indexOf('## A worked example'));
const keys = vectors<Vectors.Keys>('keys.json');
const [envelope] = vectors<Vectors.Envelopes>('envelopes.json').sealed;
const [frame] = vectors<Vectors.Frames>('frames.json').frames;

test('the worked example has the values of the vectors, and no others of their length', t => {
  const crc = crc32(hex(`04${envelope.envelope}`))
    .toString(16)
    .padStart(8, '0');
  const stated = new Set([
    keys.root,
    keys.epochs[0].chain,
    keys.epochs[1].chain,
    keys.epochs[1].seal,
    envelope.structure,
    envelope.tag,
    envelope.envelope,
    `04${envelope.envelope}`,
    frame.frame,
  ]);
  t.is(frame.body, envelope.envelope);
  t.deepEqual(new Set(example.match(/\b[0-9a-f]{64,}\b/g)), stated);
  t.true(example.includes(`checksum is \`${crc}\``));
  t.true(example.includes(`\n${crc.match(/../g)!.reverse().join('')}\n`));
  t.true(example.includes(`has id \`${keys.id}\``));
});

test('the payload that it takes apart is the payload', t => {
  const [block] = example.split('```\n').filter(part => part.startsWith('a8 '));
  const bytes = block.split('\n').map(line => line.slice(0, 36).replaceAll(' ', ''));
  t.is(bytes.join(''), envelope.payload);
});

test('the lengths that it states are right', t => {
  const length = (text: string) => text.length / 2;
  t.true(example.includes(`Its payload has ${length(envelope.payload)} bytes`));
  t.true(example.includes(`The envelope has ${length(envelope.envelope)} bytes`));
  t.true(example.includes(`The ${length(envelope.envelope) + 5} bytes hold zeros`));
  t.true(example.includes(`that makes ${length(frame.frame)}:`));
  t.true(example.includes(`58 ${length(envelope.payload).toString(16)} ${envelope.payload.slice(0, 16)} …`));
  t.true(example.includes(`58 20 ${envelope.tag.slice(0, 16)} …`));
});

test('the bounds that it states are those of the code', t => {
  const prose = text.replaceAll(/ +/g, ' '); // tables are padded
  const stated = (value: number) => t.true(prose.includes(value.toLocaleString('en')), `${value}`);
  stated(seal.MAX_ENVELOPE_BYTES);
  stated(seal.MAX_FRAME_BYTES);
  t.true(prose.includes(`a Sealer reserves ${seal.DEFAULT_ENVELOPE_BYTES} unless`));
  t.true(prose.includes(`${seal.MAX_RECORDS} as written`));
  t.true(prose.includes(`| session message | ${seal.MAX_MESSAGE_BYTES} bytes |`));
  t.true(prose.includes(`At most ${seal.MAX_DEPTH} arrays and maps`));
  for (const [kind, value] of Object.entries(seal.Kind)) t.true(prose.includes(`${kind}: ${value}`));
  for (const [name, value] of Object.entries(seal.FrameType))
    t.true(prose.includes(`| ${value} | ${name} |`));
});

test('every file that it names exists', t => {
  for (const [, link] of text.matchAll(/\]\(([^)#]+)\)/g)) {
    t.notThrows(() => readFileSync(new URL(`../../../firmware/seal/${link}`, import.meta.url)), link);
  }
  for (const [, name] of text.matchAll(/`([a-z0-9-]+\.ts)`/g)) {
    t.notThrows(() => readFileSync(new URL(`../../../firmware/seal/${name}`, import.meta.url)), name);
  }
});
