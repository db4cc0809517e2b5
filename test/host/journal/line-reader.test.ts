import { crc32 } from 'node:zlib';
import test from 'ava';
import { MAX_OFFSET } from '../../../host/journal/entry.js';
import { LineReader } from '../../../host/journal/line-reader.js';

const DEVICE = '00112233445566aa';
const READING = `{"o":7,"t":5,"l":"tcp:1","d":"${DEVICE}","e":1,"q":0,"b":"hE2i_w"`;
const GAP = `{"o":7,"t":5,"l":"tcp:1","d":"${DEVICE}","from":[1,2],"to":[1,4]`;
const HEADER = '{"journal":1,"first":7,"at":5,"prev":{"first":1,"last":6,"bytes":900},"devices":1';
const POSITION = `{"d":"${DEVICE}","e":1,"q":2,"g":"0011223344556677","f":0,"n":3,"m":0`;
const MARK = '{"s":          1234';

function read(body: string) {
  const line = Buffer.from(`${body},"c":"${crc32(body).toString(16).padStart(8, '0')}"}`, 'latin1');
  return new LineReader().parse(line, 0, line.length);
}

for (const [name, body] of Object.entries({ READING, GAP, HEADER, POSITION, MARK })) {
  test(`takes ${name}`, t => t.truthy(read(body)));
}

const REFUSED: [what: string, body: string][] = [
  ['a space after the brace', READING.replace('{"o"', '{ o"')],
  ['a leading zero', READING.replace('"o":7', '"o":07')],
  ['a minus zero', MARK.replace('          1234', '            -0')],
  ['an offset past the last', READING.replace('"o":7', `"o":${MAX_OFFSET + 1}`)],
  ['base64url with its padding', READING.replace('hE2i_w', 'hE2i_w==')],
  ['base64url with other bits at the end', READING.replace('hE2i_w', 'hE2i_x')],
  ['base64', READING.replace('hE2i_w', 'hE2i/w')],
  ['a byte that is no base64url', READING.replace('hE2i_w', 'hE2 i_w')],
  ['a payload that is too long', READING.replace('hE2i_w', 'A'.repeat(11_000))],
  ['a link that is no JSON', READING.replace('tcp:1', 'tcp\t1')],
  ['a link escaped otherwise', READING.replace('tcp:1', 'tcp\\u003a1')],
  ['a link too long', READING.replace('tcp:1', 'x'.repeat(129))],
  ['a key more', GAP.replace(',"to"', ',"x":1,"to"')],
  ['a key twice', GAP.replace(',"to"', ',"to":[1,3],"to"')],
  ['a space', GAP.replace(',"to"', ', "to"')],
  ['a time before 1970', GAP.replace('"t":5', '"t":-5')],
  ['another order', HEADER.replace('"first":7,"at":5', '"at":5,"first":7')],
  ['more of the segment before', HEADER.replace('"bytes":900', '"bytes":900,"x":[]')],
  ['a tag with a quote', POSITION.replace('0011223344556677', '0011\\"2233445566')],
  ['a tag of 7 bytes', POSITION.replace('0011223344556677', '00112233445566')],
  ['a mark of another length', MARK.replace(' ', '')],
  ['a mark of more digits', '{"s":123456789012345'],
];
for (const [what, body] of REFUSED) {
  test(`refuses ${what}, although its checksum is right`, t =>
    t.is(read(body), undefined, body.slice(0, 200)));
}
