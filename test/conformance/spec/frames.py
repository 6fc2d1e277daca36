"""frames.json: section 3. Bytes after the preface, with the sequence beginning at 0."""

import zlib

from .frame import BOTH, ROLES, TYPES, channels_of, frame, header
from .frames_pages import pages_vectors
from .messages import PLAIN
from .msgpack import head, pack
from .output import vector

OPTIONAL = 0x8000


def shown(*frames):
    """What a receiver delivers: (type, sequence, body)."""
    made = []
    for kind, sequence, body in frames:
        crc = zlib.crc32(body)
        made.append({'type': kind, 'sequence': sequence, 'length': len(body), 'crc32': crc})
    return {'frames': made}


def where(kind):
    side = TYPES[kind][2]
    return {'channel': channels_of(kind)[0], 'from': 'source' if side == BOTH else side}


def body_of(kind):
    return bytes(32) if kind == 'PAGES' else pack(PLAIN[kind])


def bad(name, note, data, error, at, place='HELLO', **fields):
    return vector(name, note, data, **where(place), error=error, errorAt=at, **fields)


def type_vectors():
    made = []
    for kind, (_, _, _, bound) in TYPES.items():
        body, place = body_of(kind), where(kind)
        data = frame(kind, body)
        made.append(vector(f'{kind}', '', data, **place, expect=shown((kind, 0, body))))
        data = frame(kind, b'', length=bound)
        name, note = f'{kind} of {bound}', 'the header alone of the longest'
        made.append(vector(name, note, data, **place, expect={'frames': []}))
        data = frame(kind, b'', length=bound + 1)
        note = 'one over, refused before any byte of the body'
        made.append(bad(f'{kind} of {bound + 1}', note, data, 'WIRE_FRAME_LENGTH', 16, kind))
        made += channel_vectors(kind, body)
    for channel in ROLES:
        body, place = body_of('ERROR'), {'channel': channel, 'from': 'destination'}
        name, expect = f'ERROR on {channel} from the destination', shown(('ERROR', 0, body))
        made.append(vector(name, 'from both', frame('ERROR', body), **place, expect=expect))
    return made


def channel_vectors(kind, body):
    """On every channel but the first of its own."""
    made = []
    for channel in ROLES:
        place = {**where(kind), 'channel': channel}
        name, data = f'{kind} on {channel}', frame(kind, body)
        if channel not in channels_of(kind):
            error = {'error': 'WIRE_FRAME_TYPE', 'errorAt': 16}
            made.append(vector(name, 'not on this channel', data, **place, **error))
        elif place != where(kind):
            expect = shown((kind, 0, body))
            made.append(vector(name, 'here, too', data, **place, expect=expect))
    return made


def unknown_vectors():
    made = []
    for kind in (0, 5, 0x0B, 0x15, 0x1B, 0x28, 0x35, 0x44, 0x50, 0x60, 0x70, 0x7FFF, 0x0100):
        name = f'type {kind:#06x}'
        made.append(bad(name, 'mandatory', frame(kind, b'\x80'), 'WIRE_FRAME_TYPE', 16))
    known = frame('HEARTBEAT', b'\x80', 1)
    expect = shown(('HEARTBEAT', 1, b'\x80'))
    for kind in (0x8000, 0x8001, 0x8005, 0x8011, 0xFFFF):
        data = frame(kind, b'not a map', 0) + known
        name = f'type {kind:#06x}, then HEARTBEAT'
        made.append(vector(name, 'skipped', data, **where('HEARTBEAT'), expect=expect))
    body = pack(PLAIN['BARRIER'])
    data = frame(0x8040, b'x', 0) + frame('BARRIER', body, 1)
    expect_barrier = shown(('BARRIER', 1, body))
    made.append(vector('optional on data', '', data, **where('BARRIER'), expect=expect_barrier))
    for length in (0, 65536):
        data = frame(0x9000, b'z' * length, 0) + known
        name = f'optional of {length}, then HEARTBEAT'
        made.append(vector(name, 'skipped', data, **where('HEARTBEAT'), expect=expect))
    data = header(0x9000, 3, 0, 0, 12345) + b'abc' + known
    name = 'optional with another checksum'
    made.append(vector(name, 'not checked', data, **where('HEARTBEAT'), expect=expect))
    long = frame(0x9000, b'', length=65537)
    made.append(bad('optional of 65537', 'one over', long, 'WIRE_FRAME_LENGTH', 16))
    flags = frame(0x9000, b'', flags=1)
    made.append(bad('optional with flags', 'checked', flags, 'WIRE_FLAGS', 16))
    later = frame(0x9000, b'', 1)
    made.append(bad('optional, another sequence', 'checked', later, 'WIRE_SEQUENCE', 16))
    same = frame(0x9000, b'', 0) + frame('HEARTBEAT', b'\x80', 0)
    made.append(bad('optional is counted', 'it has a sequence', same, 'WIRE_SEQUENCE', 32))
    return made


def field_vectors():
    made = []
    for bit in range(16):
        data = frame('HEARTBEAT', b'\x80', flags=1 << bit)
        made.append(bad(f'flag {bit}', 'reserved', data, 'WIRE_FLAGS', 16))
    first = frame('HEARTBEAT', b'\x80', 0)
    before = {'before': shown(('HEARTBEAT', 0, b'\x80'))['frames']}
    for sequence in (1, 2, 256, 0x80000000, 0xFFFFFFFF):
        data = frame('HEARTBEAT', b'\x80', sequence)
        made.append(bad(f'first sequence {sequence}', '', data, 'WIRE_SEQUENCE', 16))
    for sequence, note in ((0, 'repeat'), (2, 'gap'), (0xFFFFFFFF, 'back'), (0x01000000, 'BE')):
        data = first + frame('HEARTBEAT', b'\x80', sequence)
        name = f'second sequence {sequence}'
        made.append(bad(name, note, data, 'WIRE_SEQUENCE', 33, **before))
    data = b''.join(frame('HEARTBEAT', b'\x80', at) for at in range(300))
    expect = shown(*[('HEARTBEAT', at, b'\x80') for at in range(300)])
    made.append(vector('300 frames', '', data, **where('HEARTBEAT'), expect=expect))
    data = frame('HEARTBEAT', b'\x80', 0xFFFFFFFF) + frame('HEARTBEAT', b'\x80', 0)
    expect = shown(('HEARTBEAT', 0xFFFFFFFF, b'\x80'), ('HEARTBEAT', 0, b'\x80'))
    wrap = vector('sequence around', 'modulo 2^32', data, **where('HEARTBEAT'), expect=expect)
    return made + [{**wrap, 'firstSequence': 0xFFFFFFFF}]


def order_vectors():
    """The first check of section 3 that fails gives the error."""
    long = 16385
    return [
        bad('type before length', '', header(7, 1 << 31, 9, 9), 'WIRE_FRAME_TYPE', 16),
        bad('channel before length', '', header(0x11, 1 << 31, 9, 9), 'WIRE_FRAME_TYPE', 16),
        bad('length before flags', '', header(4, long, 9, 9), 'WIRE_FRAME_LENGTH', 16),
        bad('length 2^32 - 1', '', header(4, (1 << 32) - 1), 'WIRE_FRAME_LENGTH', 16),
        bad('flags before sequence', '', header(4, 1, 9, 9), 'WIRE_FLAGS', 16),
        bad('sequence before checksum', '', header(4, 1, 9) + b'\xc0', 'WIRE_SEQUENCE', 16),
        bad('checksum before body', '', header(4, 1) + b'\xc0', 'WIRE_CHECKSUM', 17),
        bad('optional: length first', '', header(0x9000, 65537, 9, 9), 'WIRE_FRAME_LENGTH', 16),
    ]


def checksum_vectors():
    body = pack(PLAIN['RESERVED'])
    good = frame('RESERVED', body)
    made = []
    places = [(12, 'checksum'), (15, 'checksum'), (16, 'first of the body'), (-1, 'last')]
    for at, note in places:
        data = bytearray(good)
        data[at] ^= 1
        name = f'RESERVED, byte {at % len(good)} damaged'
        made.append(bad(name, note, bytes(data), 'WIRE_CHECKSUM', len(good), 'RESERVED'))
    other = frame('ROUND_ACK', body)[:12] + good[12:]
    made.append(bad('another type', 'covered', other, 'WIRE_CHECKSUM', len(good), 'RESERVED'))
    made.append(bad('a shorter length', 'covered', good[:4] + b'\x01' + good[5:], 'WIRE_CHECKSUM',
                    17, 'RESERVED'))
    zero = header(4, 1) + b'\x80'
    made.append(bad('checksum 0', '', zero, 'WIRE_CHECKSUM', 17))
    only = header(4, 1)[:12] + zlib.crc32(b'\x80').to_bytes(4, 'little') + b'\x80'
    made.append(bad('checksum of the body alone', '', only, 'WIRE_CHECKSUM', 17))
    return made


def truncated_vectors():
    data = frame('HEARTBEAT', b'\x80', 0) + frame('HEARTBEAT', b'\x81\xa1x\x01', 1)
    made = []
    ended = {'error': 'WIRE_TRUNCATED', 'ended': True, **where('HEARTBEAT')}
    for size in (1, 2, 8, 15, 16, 18, 32, 33, 35, 36):
        name = f'two frames cut to {size}'
        before = shown(('HEARTBEAT', 0, b'\x80'))['frames'] if size >= 17 else []
        made.append(vector(name, 'the stream ends', data[:size], before=before, **ended))
    cut = frame(0x9000, b'x' * 100)[:50]
    made.append(vector('an optional frame cut', 'the stream ends', cut, **ended))
    cut = frame('STATE', b'x', length=1 << 26)
    made.append(vector('STATE of 64 MiB cut after 1', 'nothing is kept for it', cut, **ended))
    return made


def body_vectors():
    """What a frame may hold at the most, whole."""
    made = []
    for kind, size in (('HEARTBEAT', 16384), ('HELLO', 262144), ('STATE', 1048576)):
        key = pack('package' if kind == 'STATE' else 'x')
        start = b'\x81' + key
        body = start + head('bin32', size - len(start) - 5) + bytes(size - len(start) - 5)
        name, data = f'{kind}, {size} whole', frame(kind, body)
        expect = shown((kind, 0, body))
        made.append(vector(name, 'the frame alone', data, **where(kind), expect=expect))
    empty = frame('HEARTBEAT', b'')
    expect = shown(('HEARTBEAT', 0, b''))
    note = 'the frame is whole; its body is not a map'
    made.append(vector('an empty body', note, empty, **where('HEARTBEAT'), expect=expect))
    return made


def vectors():
    made = type_vectors() + unknown_vectors() + field_vectors() + order_vectors()
    made += checksum_vectors() + truncated_vectors() + body_vectors()
    return made + pages_vectors(shown, bad)
