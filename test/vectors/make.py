#!/usr/bin/env python3
"""Writes the project's own vectors: envelopes, frames, messages, keys and the table of verdicts.

A second implementation of the format, on nothing but Python's hmac, struct and zlib, written from
firmware/seal/README.md. Run it here when the format changes, then `npm run format`; the tests only read what it wrote.
"""
import hmac, hashlib, itertools, json, struct, zlib


# CBOR. Maps are lists of pairs in a Map, so that wrong orders and duplicates can be written too.
class Map(list):
    pass


class Raw(bytes):
    pass


def head(major, n):
    for info, size, limit in ((None, 0, 24), (24, 1, 1 << 8), (25, 2, 1 << 16), (26, 4, 1 << 32), (27, 8, 1 << 64)):
        if n < limit:
            return bytes([major << 5 | (n if info is None else info)]) + (n.to_bytes(size, 'big') if size else b'')


def enc(v):
    if isinstance(v, Raw):
        return bytes(v)
    if v is True or v is False:
        return b'\xf5' if v else b'\xf4'
    if v is None:
        return b'\xf6'
    if isinstance(v, float):
        if v == int(v):
            return enc(int(v))
        for code, form in ((b'\xf9', '>e'), (b'\xfa', '>f'), (b'\xfb', '>d')):
            try:
                packed = struct.pack(form, v)
            except OverflowError:
                continue
            if struct.unpack(form, packed)[0] == v:
                return code + packed
    if isinstance(v, int):
        return head(0, v) if v >= 0 else head(1, -1 - v)
    if isinstance(v, bytes):
        return head(2, len(v)) + v
    if isinstance(v, str):
        return head(3, len(v.encode())) + v.encode()
    if isinstance(v, Map):
        return head(5, len(v)) + b''.join(enc(k) + enc(x) for k, x in v)
    return head(4, len(v)) + b''.join(map(enc, v))


def tag_of(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def expand(key, info):
    return tag_of(key, info + b'\x01')


def header(device):
    return enc(Map([(1, 5), (4, device)]))


def structure(device, payload):
    return enc(['MAC0', header(device), b'', payload])


def mac0(key, device, payload):
    return enc([header(device), Map(), payload, tag_of(key, structure(device, payload))])


def cobs(data):
    out = b''
    blocks = data.split(b'\0')
    for n, block in enumerate(blocks):
        while len(block) > 254 or (len(block) == 254 and n < len(blocks) - 1):
            out, block = out + b'\xff' + block[:254], block[254:]
        out += bytes([len(block) + 1]) + block
    return out


def frame(kind, body):
    plain = bytes([kind]) + body
    return cobs(plain + zlib.crc32(plain).to_bytes(4, 'big')) + b'\0'


def dump(name, value):
    text = json.dumps(value, indent=2, ensure_ascii=False) + '\n'
    open(name, 'w', encoding='utf-8').write(text)


# Keys
root = bytes(range(32))
device = bytes.fromhex('a0a1a2a3a4a5a6a7')
chains = [expand(root, b'sovereign/1 chain' + device)]
for _ in range(3):
    chains.append(expand(chains[-1], b'sovereign/1 next'))
seals = [expand(c, b'sovereign/1 seal') for c in chains]
ups = [expand(c, b'sovereign/1 up') for c in chains]
down = expand(root, b'sovereign/1 down' + device)
dump('keys.json', {
    'root': root.hex(), 'id': device.hex(), 'down': down.hex(),
    'epochs': [{'chain': c.hex(), 'seal': s.hex(), 'up': u.hex()} for c, s, u in zip(chains, seals, ups)],
})

# Envelopes
LABELS = {'n': 0, 'u': 1, 'v': 2, 'vs': 3, 'vb': 4, 'vd': 8}


def records(items):
    return [Map((LABELS[k], bytes.fromhex(x) if k == 'vd' else x) for k, x in r.items()) for r in items]


def reading(epoch, seq, uptime, unix, prev, items, kind):
    pairs = [(0, 1), (1, epoch), (2, seq), (3, uptime)]
    if unix >= 0:
        pairs.append((4, unix))
    pairs += [(5, prev), (6, records(items))]
    if kind:
        pairs.append((7, kind))
    return Map(pairs)


T = 1767225600000
many = [{'n': f'bench/{i}', 'v': i * 1000} for i in range(23)]
plan = [
    (1, 0, 1500, T, 1, [{'n': 'reason', 'vs': 'power-on'}, {'n': 'temperature', 'u': 'Cel', 'v': 21.5}]),
    (1, 1, 2500, T + 1000, 0, [{'n': 'temperature', 'u': 'Cel', 'v': -3.7}, {'n': 'supply', 'u': 'V', 'v': 3.28}]),
    (1, 2, 3500, -1, 0, [{'n': 'pump/state', 'vb': True}, {'n': 'pump/raw', 'vd': '00ff10'}]),
    (1, 3, 63500, -1, 2, [{'n': 'uptime', 'u': 's', 'v': 63}]),
    (1, 4, 4294967296, 9007199254740991, 0, many),
    (1, 5, 4294967297, -1, 4, [{'n': 'A', 'vs': 'sensor "t1": Zähler 水 💧'}, {'n': '0', 'v': -9007199254740991}]),
    (1, 6, 4294967298, -1, 3, [{'n': 'final', 'vb': False}]),
    (2, 0, 0, -1, 1, [{'n': 'reason', 'vs': ''}]),
    (2, 1, 1, -1, 5, [{'n': 'v', 'v': 0}, {'n': 'w', 'v': 5.960464477539063e-08}, {'n': 'x', 'v': 0.10000000149011612}]),
]
sealed, prev = [], bytes(8)
for epoch, seq, uptime, unix, kind, items in plan:
    prev = bytes(8) if seq == 0 else prev
    payload = enc(reading(epoch, seq, uptime, unix, prev, items, kind))
    envelope = mac0(seals[epoch], device, payload)
    sealed.append({
        'epoch': epoch, 'seq': seq, 'uptimeMs': uptime, 'unixMs': unix, 'kind': kind, 'prev': prev.hex(), 'records': items,
        'payload': payload.hex(), 'structure': structure(device, payload).hex(), 'tag': envelope[-32:].hex(),
        'envelope': envelope.hex(),
    })
    prev = envelope[-32:][:8]

refused = []


def refuse(note, fault, data):
    refused.append({'note': note, 'fault': fault, 'hex': data.hex()})


def payload_of(note, fault, pairs):
    refuse(note, fault, mac0(seals[1], device, pairs if isinstance(pairs, bytes) else enc(Map(pairs))))


base = [(0, 1), (1, 1), (2, 5), (3, 9), (5, bytes(8)), (6, [Map([(0, 'a'), (2, 1)])])]


def but(*changes):
    """`base` with pairs replaced, added (sorted) or, with the value absent, removed."""
    pairs = dict(base)
    for change in changes:
        if len(change) == 1:
            pairs.pop(change[0])
        else:
            pairs[change[0]] = change[1]
    return sorted(pairs.items())


good = mac0(seals[1], device, enc(Map(base)))
record = lambda *pairs: but((6, [Map(pairs)]))
refuse('nothing', 'not-mac0', b'')
refuse('one byte', 'truncated', good[:1])
refuse('not an array of four', 'not-mac0', b'\x83' + good[1:])
refuse('tag 17 in front, which COSE allows and this format does not', 'not-mac0', b'\xd1' + good)
refuse('without its last byte', 'truncated', good[:-1])
refuse('a byte after it', 'trailing-bytes', good + b'\0')
refuse('two envelopes', 'trailing-bytes', good + good)
refuse('protected header empty', 'protected-header', b'\x84\x40' + good[15:])
refuse('algorithm 4, HMAC 256/64', 'algorithm', good[:4] + b'\x04' + good[5:])
refuse('algorithm as a text', 'algorithm', good[:4] + b'\x65' + good[5:])
refuse('key id of another length', 'key-id', good[:6] + b'\x47' + good[7:])
refuse('header label 5 instead of 4', 'key-id', good[:5] + b'\x05' + good[6:])
refuse('unprotected header not empty', 'unprotected-header', good[:15] + b'\xa1\x01\x05' + good[16:])
refuse('payload nil (detached)', 'unexpected-type', good[:16] + b'\xf6' + good[-34:])
refuse('payload as a text', 'invalid-utf8', good[:16] + b'\x78' + good[17:])
refuse('payload of indefinite length', 'indefinite-length', good[:16] + b'\x5f' + good[16:-34] + b'\xff' + good[-34:])
refuse('payload length in more bytes than it needs', 'not-shortest', good[:16] + b'\x59\0' + good[17:])
refuse('payload that claims more than there is', 'truncated', good[:17] + b'\xff' + good[18:])
refuse('payload that claims 2^64 - 1 bytes', 'truncated', good[:16] + b'\x5b' + b'\xff' * 8 + good[18:])
refuse('tag of 31 bytes', 'tag-length', good[:-33] + b'\x1f' + good[-32:-1])
refuse('tag of 8 bytes', 'tag-length', good[:-34] + b'\x48' + good[-32:-24])
refuse('longer than an envelope can be', 'too-large', mac0(seals[1], device, enc(Map(record((0, 'a'), (8, bytes(4000)))))))
payload_of('payload that is no map', 'unexpected-type', enc([1, 2]))
payload_of('payload empty', 'truncated', b'')
payload_of('payload with a byte after the map', 'trailing-bytes', enc(Map(base)) + b'\0')
payload_of('version 2', 'version', but((0, 2)))
payload_of('version 2 of another shape', 'version', [(0, 2), ('x', 1)])
payload_of('version 0', 'version', but((0, 0)))
payload_of('no version', 'unexpected-key', but((0,)))
payload_of('no epoch', 'unexpected-key', but((1,)))
payload_of('no sequence', 'unexpected-key', but((2,)))
payload_of('no uptime', 'unexpected-key', but((3,)))
payload_of('no link', 'unexpected-key', but((5,)))
payload_of('no records', 'truncated', but((6,)))
payload_of('a key that version 1 does not know', 'unexpected-key', but((8, 1)))
payload_of('all keys and one more', 'unexpected-key', but((4, 1), (7, 1), (8, 1)))
payload_of('a text as key', 'unexpected-type', but() + [('x', 1)])
payload_of('keys unsorted', 'unexpected-key', [base[0], base[2], base[1]] + base[3:])
payload_of('a key twice', 'unexpected-key', [base[0], base[1], base[1]] + base[3:])
payload_of('a map that claims one pair more', 'truncated', b'\xa7' + enc(Map(base))[1:])
payload_of('a map that claims one pair less', 'trailing-bytes', b'\xa6' + enc(Map(but((7, 2))))[1:])
payload_of('a map of indefinite length', 'indefinite-length', b'\xbf' + enc(Map(base))[1:] + b'\xff')
payload_of('epoch in two bytes', 'not-shortest', but((1, Raw(b'\x18\x01'))))
payload_of('epoch in nine bytes', 'not-shortest', but((1, Raw(b'\x1b' + bytes(7) + b'\x01'))))
payload_of('epoch negative', 'unexpected-type', but((1, -1)))
payload_of('epoch a float', 'unexpected-type', but((1, 1.5)))
payload_of('epoch an integral float', 'integral-float', but((1, Raw(bytes.fromhex('f93c00')))))
payload_of('epoch 2^53', 'integer-too-large', but((1, 1 << 53)))
payload_of('sequence a text', 'unexpected-type', but((2, '5')))
payload_of('uptime null', 'unexpected-type', but((3, None)))
payload_of('Unix time negative', 'unexpected-type', but((4, -1)))
payload_of('Unix time tagged', 'tag', but((4, Raw(b'\xc1\x01'))))
payload_of('link of 7 bytes', 'length', but((5, bytes(7))))
payload_of('link of 9 bytes', 'length', but((5, bytes(9))))
payload_of('link a text', 'unexpected-type', but((5, 'abcdefgh')))
payload_of('link not zero at sequence 0', 'previous-tag', but((2, 0), (5, b'\0\0\0\0\0\0\0\x01')))
payload_of('no record in the array', 'no-record', but((6, [])))
payload_of('records of indefinite length', 'indefinite-length', but((6, Raw(b'\x9f\xa2\x00\x61a\x02\x01\xff'))))
payload_of('records that claim more than there is', 'truncated', but((6, Raw(b'\x9a\xff\xff\xff\xff\xa2\x00\x61a\x02\x01'))))
payload_of('kind 0', 'kind', but((7, 0)))
payload_of('kind 6', 'kind', but((7, 6)))
payload_of('kind a text', 'unexpected-type', but((7, 'start')))
payload_of('record that is no map', 'unexpected-type', but((6, [1])))
payload_of('record without a name', 'unexpected-key', record((1, 'V'), (2, 1)))
payload_of('record with nothing in it', 'truncated', record())
payload_of('name empty', 'record', record((0, ''), (2, 1)))
payload_of('name with a space', 'record', record((0, 'a b'), (2, 1)))
payload_of('name with an escape sequence', 'record', record((0, 'a\x1b[2J'), (2, 1)))
payload_of('name that begins with a slash', 'record', record((0, '/a'), (2, 1)))
payload_of('name with a letter beyond ASCII', 'record', record((0, 'ä'), (2, 1)))
payload_of('name as bytes', 'unexpected-type', record((0, b'a'), (2, 1)))
payload_of('name of invalid UTF-8', 'invalid-utf8', record((0, Raw(b'\x61\xff')), (2, 1)))
payload_of('unit empty', 'record', record((0, 'a'), (1, ''), (2, 1)))
payload_of('record without a value', 'truncated', record((0, 'a'), (1, 'V')))
payload_of('record with two values', 'record', record((0, 'a'), (2, 1), (3, 'x')))
payload_of('record with a base name', 'unexpected-type', record((0, 'a'), (-2, 'b')))
payload_of('record with a time', 'record', record((0, 'a'), (6, 1)))
payload_of('record with unsorted keys', 'unexpected-key', record((2, 1), (0, 'a')))
payload_of('value a text under the label of numbers', 'unexpected-type', record((0, 'a'), (2, 'x')))
payload_of('value NaN', 'not-finite', record((0, 'a'), (2, Raw(bytes.fromhex('f97e00')))))
payload_of('value infinite', 'not-finite', record((0, 'a'), (2, Raw(bytes.fromhex('f97c00')))))
payload_of('value -0', 'integral-float', record((0, 'a'), (2, Raw(bytes.fromhex('f98000')))))
payload_of('value 21.5 in four bytes', 'not-shortest', record((0, 'a'), (2, Raw(bytes.fromhex('fa41ac0000')))))
payload_of('value 21 as a float', 'integral-float', record((0, 'a'), (2, Raw(bytes.fromhex('f94d40')))))
payload_of('value 2^53', 'integer-too-large', record((0, 'a'), (2, 1 << 53)))
payload_of('value -2^53', 'integer-too-large', record((0, 'a'), (2, -(1 << 53))))
payload_of('value 1e300', 'integral-float', record((0, 'a'), (2, Raw(bytes.fromhex('fb7e37e43c8800759c')))))
payload_of('text of invalid UTF-8', 'invalid-utf8', record((0, 'a'), (3, Raw(b'\x62\xc0\x80'))))
payload_of('boolean null', 'unexpected-type', record((0, 'a'), (4, None)))
payload_of('boolean 1', 'unexpected-type', record((0, 'a'), (4, 1)))
payload_of('data a text', 'unexpected-type', record((0, 'a'), (8, 'x')))

forged = []


def forge(note, data):
    forged.append({'note': note, 'hex': data.hex()})


base_payload = enc(Map(base))
forge('sealed with the key of another epoch', mac0(seals[2], device, base_payload))
forge('sealed with the key of messages up', mac0(ups[1], device, base_payload))
forge('the tag over an envelope without "MAC0"', good[:-32] + tag_of(seals[1], good[:-34]))
forge('the tag over a MAC_structure of another context', good[:-32]
      + tag_of(seals[1], structure(device, base_payload).replace(b'MAC0', b'MAC1')))
forge('the tag over the payload alone', good[:-32] + tag_of(seals[1], base_payload))
forge('the tag cut to 16 bytes, then zeros', good[:-16] + bytes(16))
forge('tag of zeros', good[:-32] + bytes(32))
forge('another device, the tag as it was', good[:7] + bytes(8) + good[15:])
dump('envelopes.json', {
    'id': device.hex(), 'chains': [c.hex() for c in chains], 'sealed': sealed, 'refused': refused, 'forged': forged,
})

# Frames
run = lambda a, b: bytes(range(a, b + 1))
cobs_cases = [b'\0', b'\0\0', b'\0\x11\0', b'\x11\x22\0\x33', b'\x11\x22\x33\x44', b'\x11\0\0\0', run(1, 254), run(0, 254),
              run(1, 255), run(2, 255) + b'\0', run(3, 255) + b'\0\x01', run(1, 254) * 2, run(1, 254) + b'\0', bytes(300)]
body = bytes.fromhex(sealed[0]['envelope'])
frames = [(4, body), (1, b''), (2, b'\0'), (255, bytes(range(256))), (0, b'\0\0\0'), (5, b'\x01' * 4074), (4, bytes(4074))]
one, two = frame(4, b'one'), frame(4, b'two')
noise_at = lambda *parts: b''.join(parts)
flip = bytes([one[0], one[1], one[2] ^ 1]) + one[3:]
got = lambda *bodies: [{'type': 4, 'body': b.hex()} for b in bodies]
full = next(f for f in (frame(4, bytes([n]) * 249) for n in range(1, 256)) if len(f) == 256)
streams = [
    ('two frames', one + two, got(b'one', b'two'), 0, 0, 0),
    ('zeros between and around', b'\0\0' + one + b'\0\0\0' + two + b'\0', got(b'one', b'two'), 0, 0, 0),
    ('an unfinished frame at the end', one + two[:-1], got(b'one'), 0, 0, 0),
    ('text in front, without a zero, takes one frame with it', b'ets Jul 29 2019\r\n' + one + two, got(b'two'), 1, 17 + len(one) - 1, 0),
    ('text in front, then a zero', b'ets Jul 29 2019\r\n\0' + one, got(b'one'), 1, 17, 0),
    ('one bit flipped', flip + two, got(b'two'), 1, len(one) - 1, 0),
    ('a code that claims more than there is', b'\x20abc\0' + two, got(b'two'), 1, 4, 0),
    ('a code of 255 that claims more than there is', b'\xffabc\0' + two, got(b'two'), 1, 4, 0),
    ('a lone code', b'\x01\0' + two, got(b'two'), 1, 1, 0),
    ('shorter than type and checksum', cobs(b'\x04\0\0\0') + b'\0' + two, got(b'two'), 1, 5, 0),
    ('4,096 bytes that are no frame', b'\x01' * 4096 + b'\0' + two, got(b'two'), 1, 4096, 0),
    ('4,097 bytes', b'\x01' * 4097 + b'\0' + two, got(b'two'), 0, 4097, 1),
    ('a right frame of 4,097 bytes', cobs_frame := frame(4, b'\x01' * 4075), [], 0, 4097, 1),
    ('a full block alone', full, got(cobs_body := full[2:251]), 0, 0, 0),
    ('an empty block after a full one, which says nothing', full[:-1] + b'\x01\0' + full, got(cobs_body), 1, 256, 0),
    ('10,000 bytes, then two frames', b'\xaa' * 10000 + b'\0' + one + two, got(b'one', b'two'), 0, 10000, 1),
]
assert len(cobs_frame) == 4098
dump('frames.json', {
    'crc32': [{'hex': h.hex(), 'crc': f'{zlib.crc32(h):08x}'} for h in (b'', b'123456789', b'\0' * 32, b'\xff' * 32, run(0, 255))],
    'cobs': [{'hex': c.hex(), 'encoded': cobs(c).hex()} for c in cobs_cases],
    'frames': [{'type': t, 'body': b.hex(), 'frame': frame(t, b).hex()} for t, b in frames],
    'streams': [{'note': n, 'hex': s.hex(), 'frames': f, 'noiseFrames': k, 'noiseBytes': b, 'oversized': o}
                for n, s, f, k, b, o in streams],
})

# Session messages
gw, dev, rq, tag8 = run(0x10, 0x1f), run(0x20, 0x2f), run(0x30, 0x37), run(0x40, 0x47)
up_to = lambda kind, *pairs: enc(Map([(0, kind), (1, gw), (2, dev), *pairs]))
hello = dict(epoch=1, next=7, backlog=3, losses=0, firmware='0.1.0', restart='power-on')
hello_pairs = lambda h: [(3, h['epoch']), (4, h['next'])] + ([(5, [h['oldest']['epoch'], h['oldest']['seq']])] if 'oldest' in h else []) + [
    (6, h['backlog']), (7, h['losses']), (8, h['firmware']), (9, h['restart'])] + ([(10, h['configVersion'])] if 'configVersion' in h else [])
hellos = [hello, {**hello, 'oldest': {'epoch': 1, 'seq': 4}}, {**hello, 'epoch': 2, 'next': 9007199254740991, 'firmware': '', 'restart': 'Stoß 💧',
          'oldest': {'epoch': 1, 'seq': 65535}, 'backlog': 100000, 'losses': 256},
          {**hello, 'configVersion': 0}, {**hello, 'oldest': {'epoch': 0, 'seq': 1}, 'configVersion': 1000}]
where = dict(epoch=1, seq=6, tag8=tag8.hex())
where_pairs = [(4, 1), (5, 6), (6, tag8)]
SETTINGS = {'name': 0, 'periodMs': 1, 'threshold': 2, 'maxIntervalMs': 3}
settings_of = lambda items: enc(Map([(0, [Map((SETTINGS[k], x) for k, x in s.items()) for s in items])]))
configs = [(1, []), (2, [{'name': 'temperature', 'periodMs': 60000, 'threshold': 0.25, 'maxIntervalMs': 900000}, {'name': 'Zähler', 'threshold': 0},
                         {'name': 'door'}]), (9007199254740991, [{'name': 'x', 'maxIntervalMs': 4294967296}])]
messages = [
    {'name': 'challenge', 'hex': enc([1, gw]).hex()},
    {'name': 'knock', 'hex': enc([1, device]).hex()},
    *[{'name': 'hello', 'hello': h, 'hex': mac0(ups[h['epoch']], device, up_to(1, *hello_pairs(h))).hex()} for h in hellos],
    {'name': 'timeRequest', 'epoch': 1, 'hex': mac0(ups[1], device, up_to(2, (3, 1), (4, rq))).hex()},
    {'name': 'receipt', 'counter': 1, 'hex': mac0(down, device, up_to(1, (3, 1))).hex()},
    {'name': 'receipt', 'counter': 2, 'position': where, 'hex': mac0(down, device, up_to(1, (3, 2), *where_pairs)).hex()},
    {'name': 'time', 'counter': 3, 'unixMs': T, 'hex': mac0(down, device, up_to(2, (3, 3), (4, rq), (5, T))).hex()},
    {'name': 'refuse', 'counter': 4294967296, 'position': where, 'reason': 1,
     'hex': mac0(down, device, up_to(3, (3, 4294967296), *where_pairs, (7, 1))).hex()},
    {'name': 'advance', 'counter': 5, 'epoch': 65536, 'hex': mac0(down, device, up_to(4, (3, 5), (4, 65536))).hex()},
    *[{'name': 'config', 'counter': n + 6, 'version': v, 'settings': s, 'hex': mac0(down, device, up_to(5, (3, n + 6), (4, v), (5, settings_of(s)))).hex()}
      for n, (v, s) in enumerate(configs)],
]
bad = []


def bad_message(note, parse, fault, data):
    bad.append({'note': note, 'parse': parse, 'fault': fault, 'hex': data.hex()})


sealed_up = lambda *a: mac0(ups[1], device, up_to(*a))
sealed_down = lambda *a: mac0(down, device, up_to(*a))
h1 = hello_pairs(hello)
bad_message('nonce of 15 bytes', 'challenge', 'length', enc([1, gw[1:]]))
bad_message('version 2', 'challenge', 'version', enc([2, gw]))
bad_message('three elements', 'challenge', 'length', enc([1, gw, 1]))
bad_message('a byte after it', 'challenge', 'trailing-bytes', enc([1, gw]) + b'\0')
bad_message('id of 9 bytes', 'knock', 'length', enc([1, device + b'\0']))
bad_message('an envelope', 'up', 'unexpected-type', mac0(seals[1], device, enc(Map(base))))
bad_message('kind 3', 'up', 'kind', sealed_up(3, *h1))
bad_message('no device nonce', 'up', 'unexpected-key', mac0(ups[1], device, enc(Map([(0, 1), (1, gw), *h1]))))
bad_message('oldest of three', 'up', 'length', sealed_up(1, *h1[:2], (5, [1, 2, 3]), *h1[2:]))
bad_message('oldest not at its place', 'up', 'unexpected-key', sealed_up(1, *h1, (11, [1, 2])))
bad_message('version of settings a text', 'up', 'unexpected-type', sealed_up(1, *h1, (10, '1')))
bad_message('version of settings before its place', 'up', 'unexpected-key', sealed_up(1, *h1[:-1], (10, 1), h1[-1]))
bad_message('one key less', 'up', 'truncated', sealed_up(1, *h1[:-1]))
bad_message('two keys more', 'up', 'unexpected-key', sealed_up(1, *h1, (10, 1), (11, 1)))
bad_message('three keys more', 'up', 'unexpected-key', sealed_up(1, *h1[:2], (5, [1, 2]), *h1[2:], (10, 1), (11, 1)))
bad_message('firmware of 65 bytes', 'up', 'length', sealed_up(1, *h1[:-2], (8, 'x' * 65), h1[-1]))
bad_message('restart of 129 bytes', 'up', 'length', sealed_up(1, *h1[:-1], (9, 'x' * 129)))
bad_message('longer than a message can be', 'up', 'too-large', sealed_up(1, *h1[:-1], (9, 'x' * 400)))
bad_message('request nonce of 7 bytes', 'up', 'length', sealed_up(2, (3, 1), (4, rq[1:])))
bad_message('kind 0', 'down', 'kind', sealed_down(0, (3, 1)))
bad_message('kind 6', 'down', 'kind', sealed_down(6, (3, 1)))
bad_message('config without settings', 'down', 'truncated', sealed_down(5, (3, 1), (4, 1)))
bad_message('config with settings that are no byte string', 'down', 'unexpected-type', sealed_down(5, (3, 1), (4, 1), (5, 'x')))
bad_message('config with one key more', 'down', 'unexpected-key', sealed_down(5, (3, 1), (4, 1), (5, b''), (6, 1)))
bad_message('receipt with half a position', 'down', 'truncated', sealed_down(1, (3, 1), (4, 1), (5, 6)))
bad_message('receipt with one key more', 'down', 'unexpected-key', sealed_down(1, (3, 1), *where_pairs, (7, 1)))
bad_message('receipt with a whole tag', 'down', 'length', sealed_down(1, (3, 1), (4, 1), (5, 6), (6, bytes(32))))
bad_message('time without its request', 'down', 'unexpected-key', sealed_down(2, (3, 1), (5, T)))
bad_message('refuse for a reason unknown', 'down', 'kind', sealed_down(3, (3, 1), *where_pairs, (7, 2)))
bad_message('refuse without a reason', 'down', 'truncated', sealed_down(3, (3, 1), *where_pairs))
bad_message('advance to -1', 'down', 'unexpected-type', sealed_down(4, (3, 1), (4, -1)))
bad_message('counter 2^53', 'down', 'integer-too-large', sealed_down(1, (3, 1 << 53)))
settings_bad = []


def bad_settings(note, fault, data):
    settings_bad.append({'note': note, 'fault': fault, 'hex': (data if isinstance(data, bytes) else enc(Map([(0, data)]))).hex()})


bad_settings('nothing', 'truncated', b'')
bad_settings('a list alone', 'unexpected-type', enc([]))
bad_settings('a key that is not known', 'unexpected-key', enc(Map([(0, []), (1, 1)])))
bad_settings('a byte after it', 'trailing-bytes', enc(Map([(0, [])])) + b'\0')
bad_settings('a source without a name', 'unexpected-key', [Map([(1, 1000)])])
bad_settings('an empty map before a name', 'unexpected-key', b'\xa1\x00\x81' + enc(Map()) + enc(0) + enc('a'))
bad_settings('a name of nothing', 'length', [Map([(0, '')])])
bad_settings('a name of 65 bytes', 'length', [Map([(0, 'x' * 65)])])
bad_settings('a name twice', 'duplicate-key', [Map([(0, 'a')]), Map([(0, 'a')])])
bad_settings('a period that is not whole', 'unexpected-type', [Map([(0, 'a'), (1, 0.5)])])
bad_settings('a threshold that is no number', 'unexpected-type', [Map([(0, 'a'), (2, '1')])])
bad_settings('keys in another order', 'unsorted-keys', [Map([(0, 'a'), (2, 1), (1, 1)])])
bad_settings('a key twice', 'duplicate-key', [Map([(0, 'a'), (1, 1), (1, 1)])])
bad_settings('a source with a key that is not known', 'unexpected-key', [Map([(0, 'a'), (4, 1)])])
bad_settings('33 sources', 'too-large', [Map([(0, f'a{n}')]) for n in range(33)])
dump('messages.json', {
    'id': device.hex(), 'gatewayNonce': gw.hex(), 'deviceNonce': dev.hex(), 'requestNonce': rq.hex(),
    'up': [u.hex() for u in ups], 'down': down.hex(), 'messages': messages, 'refused': bad, 'settingsRefused': settings_bad,
})


# Verdicts: every combination of the facts
def verdict(where, link, held, memory):
    if where == 'past':
        return {'same': 'replay', 'other': 'fork', 'none': 'stale'}[memory]
    if where == 'successor':
        return 'next' if link == 'matches' else 'fork'
    if held == 'held':
        return 'early'
    if where == 'epoch-start':
        return 'next'
    return 'gap' if held == 'gone' else 'early'


rows = itertools.product(('successor', 'epoch-start', 'beyond', 'past'), ('matches', 'differs'), ('gone', 'held', 'unsaid'),
                         ('same', 'other', 'none'))
text = ',\n'.join('    ' + json.dumps({**dict(zip(('where', 'link', 'held', 'memory'), r)), 'verdict': verdict(*r)}) for r in rows)
open('verdicts.json', 'w').write('{\n  "rows": [\n' + text + '\n  ]\n}\n')
