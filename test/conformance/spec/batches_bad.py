"""Batches with each error of section 5, and the order of the checks."""

from .frame import RAW, ZERO, batch, entry
from .output import vector

A = b'\x11' * 4096
RUNS = [(0, [A])]
LIMIT = 4194304


class Maker:
    def __init__(self, setting, regions, seed):
        self.around = setting(regions, 'xxh64', seed)
        self.seed = seed

    def bytes(self, runs=None, **changes):
        return batch(RUNS if runs is None else runs, 'xxh64', self.seed, **changes)

    def bad(self, name, error, note='', runs=None, **changes):
        return self.raw(name, error, note, self.bytes(runs, **changes))

    def raw(self, name, error, note, data):
        return vector(name, note, data, **self.around, error=error)


def header_vectors(m):
    whole = m.bytes()
    made = [
        m.raw(f'{size} bytes', 'CODEC_BATCH', 'no whole header', whole[:size])
        for size in (0, 1, 31)
    ]
    zeros = m.bytes([(0, 3)])
    made += [
        m.raw('no table', 'CODEC_BATCH', 'lengths', whole[:32]),
        m.raw('half a table', 'CODEC_BATCH', 'lengths', zeros[:40]),
        m.raw('one byte short', 'CODEC_BATCH', 'lengths', whole[:-1]),
        m.raw('one byte over', 'CODEC_BATCH', 'lengths', whole + b'\x00'),
        m.bad('entryCount 0', 'CODEC_BATCH', 'at least 1', table=b'', payload=b''),
        m.bad('entryCount one over', 'CODEC_BATCH', 'lengths', entryCount=2),
        m.bad('entryCount 4097', 'LIMIT_EXCEEDED', '', [(0, 1)] * 4097),
        m.bad('entryCount 65535', 'LIMIT_EXCEEDED', 'announced only', entryCount=65535),
        m.bad('payloadBytes one over', 'CODEC_BATCH', 'lengths', payloadBytes=4097),
        m.bad('payloadBytes at the limit', 'CODEC_BATCH', 'announced only', payloadBytes=LIMIT),
        m.bad('payloadBytes over it', 'LIMIT_EXCEEDED', 'announced', payloadBytes=LIMIT + 1),
        m.bad('payloadBytes 2^32 - 1', 'LIMIT_EXCEEDED', 'announced', payloadBytes=(1 << 32) - 1),
        m.bad('decodedBytes other', 'CODEC_BATCH', 'equal', decodedBytes=4095),
        m.bad('decodedBytes 0', 'CODEC_BATCH', 'equal', decodedBytes=0),
    ]
    for value in (1, 2, 7, 8, 16, 128, 255):
        made.append(m.bad(f'stride {value}', 'CODEC_BATCH', '0, or 3 to 6', stride=value))
    for at in range(2):
        reserved = bytes(at) + b'\x01' + bytes(1 - at)
        made.append(m.bad(f'reserved byte {14 + at}', 'CODEC_BATCH', '', reserved=reserved))
    for at in range(4):
        reserved = bytes(at) + b'\x80' + bytes(3 - at)
        made.append(m.bad(f'reserved byte {20 + at}', 'CODEC_BATCH', '', reserved2=reserved))
    for value in (3, 4, 255):
        made.append(m.bad(f'compression {value}', 'CODEC_ENCODING', '', compression=value))
    for value in (0, 2, 0x01000000):
        made.append(m.bad(f'round {value}', 'PROTOCOL_STATE', 'the round is 1', round=value))
    for value in (1, 2, 4, 65534):
        made.append(m.bad(f'region {value}', 'CODEC_PAGE_RANGE', 'unknown', region=value))
    return made


def table(m, name, error, note, *entries, payload=A, **changes):
    return m.bad(name, error, note, table=b''.join(entries), payload=payload, **changes)


def entry_vectors(m):
    made = []
    for value in (0, 6, 7, 10, 128, 255):
        one = entry(0, 1, value, 4096)
        made.append(table(m, f'encoding {value}', 'CODEC_ENCODING', '', one))
    over = 'CODEC_PAGE_RANGE'
    most = (1 << 32) - 1
    zeros = [
        ('page 16 of 16', 16, 1), ('page 2^32 - 1', most, 1), ('2 from page 15', 15, 2),
        ('17 pages of 16', 0, 17), ('65535 pages', 0, 65535), ('page 2^32 - 1, 2', most, 2),
    ]
    for name, first, count in zeros:
        made.append(m.bad(f'zero: {name}', over, '', [(first, count)]))
        raw = entry(first, count, RAW, 4096)
        made.append(table(m, f'raw: {name}', over, '', raw))
    made += [
        m.bad('short region: page 4 of 4', over, '', [(4, 1)], region=3),
        table(m, 'entry reserved 1', 'CODEC_BATCH', '', entry(0, 1, RAW, 4096, 1)),
        table(m, 'entry reserved 255', 'CODEC_BATCH', '', entry(0, 1, ZERO, 0, 255), payload=b''),
        table(m, 'raw of 4095', 'CODEC_BATCH', 'exactly', entry(0, 1, RAW, 4095), payload=A[1:]),
        table(m, 'raw of 4097', 'CODEC_BATCH', 'exactly', entry(0, 1, RAW, 4097),
              payload=A + b'\x11'),
        table(m, 'raw of 0', 'CODEC_BATCH', 'exactly', entry(0, 1, RAW, 0), payload=b''),
        table(m, 'raw of 2 pages with 1', 'CODEC_BATCH', '', entry(0, 2, RAW, 4096)),
        table(m, 'raw past the payload', 'CODEC_BATCH', '', entry(0, 2, RAW, 8192)),
        table(m, 'second raw past it', 'CODEC_BATCH', '', entry(0, 1, RAW, 4096),
              entry(1, 1, RAW, 4096)),
        table(m, 'raw of 2^32 - 1', 'CODEC_BATCH', '', entry(0, 1, RAW, (1 << 32) - 1)),
        table(m, 'zero with a payload', 'CODEC_BATCH', '', entry(0, 1, ZERO, 4096)),
        table(m, 'payload of no run', 'CODEC_BATCH', '', entry(0, 1, ZERO, 0)),
        table(m, 'payload left over', 'CODEC_BATCH', '', entry(0, 1, RAW, 4096), payload=A + A),
        table(m, 'short page as a whole one', 'CODEC_BATCH', '', entry(3, 1, RAW, 4096), region=3),
    ]
    return made


def digest_vectors(m):
    good = m.bytes()[24:32]
    other = bytes([good[0] ^ 1]) + good[1:]
    flipped = bytearray(m.bytes())
    flipped[-1] ^= 0x80
    name = 'CODEC_DIGEST'
    return [
        m.bad('digest off by a bit', name, '', digest=other),
        m.bad('digest 0 with raw pages', name, '', digest=bytes(8)),
        m.bad('digest big-endian', name, '', digest=good[::-1]),
        m.bad('digest without raw pages', name, 'it must be 0', [(0, 1)], digest=good),
        m.raw('a page damaged', name, 'the checksum does not cover it', bytes(flipped)),
        m.raw('another seed', name, '', batch(RUNS, 'xxh64', bytes(8))),
        m.raw('another hash', name, '', batch(RUNS, 'sha256', m.seed)),
    ]


def order_vectors(m):
    """Two faults each: the earlier check gives the error."""
    bad_entry = entry(99, 1, 10, 4096, 1)
    limit = {'entryCount': 4097, 'compression': 9}
    return [
        m.bad('limit before lengths', 'LIMIT_EXCEEDED', '', **limit),
        m.bad('entryCount before compression', 'CODEC_BATCH', '', table=b'', payload=b'',
              compression=3),
        m.bad('lengths before compression', 'CODEC_BATCH', '', payloadBytes=1, compression=3),
        m.bad('compression first', 'CODEC_ENCODING', 'before stride', compression=3, stride=1),
        m.bad('compression second', 'CODEC_ENCODING', 'before reserved', compression=3,
              reserved=b'\x01\x00', decodedBytes=9),
        m.bad('stride before decodedBytes', 'CODEC_BATCH', '', stride=1, decodedBytes=LIMIT + 1),
        m.bad('reserved before decodedBytes', 'CODEC_BATCH', '', reserved=b'\x00\x01',
              decodedBytes=LIMIT + 1),
        m.bad('decodedBytes over the limit', 'LIMIT_EXCEEDED', 'before equal',
              decodedBytes=LIMIT + 1, round=2),
        m.bad('decodedBytes before round', 'CODEC_BATCH', '', decodedBytes=9, round=2),
        m.bad('reserved before round', 'CODEC_BATCH', '', reserved2=b'\x01\x00\x00\x00', round=2),
        m.bad('round before region', 'PROTOCOL_STATE', '', round=2, region=1),
        m.bad('region before entries', 'CODEC_PAGE_RANGE', '', table=entry(0, 1, 10, 4096),
              payload=A, region=1),
        table(m, 'encoding first', 'CODEC_ENCODING', 'of an entry', bad_entry),
        table(m, 'reserved before range', 'CODEC_BATCH', '', entry(99, 1, RAW, 4096, 1)),
        table(m, 'range before length', 'CODEC_PAGE_RANGE', '', entry(99, 1, RAW, 1)),
        table(m, 'entries before digest', 'CODEC_BATCH', '', entry(0, 1, RAW, 1), digest=A[:8]),
        table(m, 'the first entry first', 'CODEC_PAGE_RANGE', '', entry(99, 1, RAW, 4096),
              entry(0, 1, 10, 0)),
        table(m, 'a good entry, then a bad one', 'CODEC_ENCODING', '', entry(0, 1, RAW, 4096),
              entry(0, 1, 10, 0)),
    ]


def crowd_vectors(setting, seed):
    m = Maker(setting, [{'id': 9, 'byteLength': 1}], seed)
    two = [{'id': 9, 'byteLength': 1}, {'id': 10, 'byteLength': 4096}]
    pair = Maker(setting, two, seed)
    note = 'more than 4,194,304 / page size + regions'
    runs = [(0, [b'x'])]
    fine = pair.bytes(runs * 1026, region=9)
    assert len(fine) == 32 + 1026 * 13
    return [
        m.bad('1026 raw pages, 1 region', 'CODEC_BATCH', note, runs * 1026, region=9),
        pair.bad('1027 raw pages, 2 regions', 'CODEC_BATCH', note, runs * 1027, region=9),
    ]


def bad_vectors(setting, regions, seed):
    m = Maker(setting, regions, seed)
    made = header_vectors(m) + entry_vectors(m) + digest_vectors(m) + order_vectors(m)
    return made + crowd_vectors(setting, seed)
