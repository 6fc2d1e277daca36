"""Prefaces, frames and batches: sections 2, 3 and 5."""

import struct
import zlib

from .hashes import batch_digest

MAGIC = bytes.fromhex('894744570d0a1a0a')
SESSION = bytes(range(0xA0, 0xB0))
CONTROL, DATA, URGENT, REVERSE = 1, 2, 3, 4
ROLES = {'control': CONTROL, 'data': DATA, 'urgent': URGENT, 'reverse': REVERSE}
BOTH = 'both'

# name: type, channels, from, body bytes at most
TYPES = {
    'HELLO': (0x0001, 'control', 'source', 262144),
    'WELCOME': (0x0002, 'control', 'destination', 16384),
    'ERROR': (0x0003, 'control, data, urgent, reverse', BOTH, 16384),
    'HEARTBEAT': (0x0004, 'control', BOTH, 16384),
    'RESERVE': (0x0008, 'control', 'source', 262144),
    'RESERVED': (0x0009, 'control', 'destination', 16384),
    'STATIC_HELD': (0x000A, 'control', 'destination', 262144),
    'ROUND_BEGIN': (0x0010, 'control', 'source', 16384),
    'PAGES': (0x0011, 'data, urgent, reverse', BOTH, 4243488),
    'BARRIER': (0x0012, 'data, urgent', 'source', 16384),
    'ROUND_END': (0x0013, 'control', 'source', 16384),
    'ROUND_ACK': (0x0014, 'control', 'destination', 16384),
    'CREDIT': (0x0015, 'data, urgent', 'destination', 16384),
    'NAK': (0x0016, 'data', 'destination', 262144),
    'DISCARD': (0x0017, 'control', 'source', 262144),
    'RESUME': (0x0018, 'control', 'source', 16384),
    'LACKING': (0x0019, 'control', 'destination', 262144),
    'RESUMED': (0x001A, 'control', 'destination', 16384),
    'SWITCH_OVER': (0x0020, 'control', 'source', 16384),
    'SWITCH_OVER_ACK': (0x0021, 'control', 'destination', 16384),
    'STATE': (0x0022, 'control', 'source', 67108864),
    'READY': (0x0023, 'control', 'destination', 16384),
    'COMMIT': (0x0024, 'control', 'source', 16384),
    'RUNNING': (0x0025, 'control', 'destination', 16384),
    'OWNER_QUERY': (0x0026, 'control', 'source', 16384),
    'OWNER': (0x0027, 'control', 'destination', 16384),
    'VERIFY': (0x0030, 'control', 'source', 262144),
    'VERIFIED': (0x0031, 'control', 'destination', 262144),
    'FINAL': (0x0032, 'control', 'destination', 67108864),
    'END': (0x0033, 'control', 'source', 16384),
    'END_ACK': (0x0034, 'control', 'destination', 16384),
    'PAGE_REQUEST': (0x0040, 'urgent', 'destination', 16384),
    'CHECKPOINT_BEGIN': (0x0041, 'reverse', 'destination', 16384),
    'CHECKPOINT_END': (0x0042, 'reverse', 'destination', 67108864),
    'CHECKPOINT_ACK': (0x0043, 'reverse', 'source', 16384),
}


def channels_of(kind):
    return TYPES[kind][1].split(', ')


def preface(role=CONTROL, index=0, version=1, epoch=0, session=SESSION, magic=MAGIC):
    return magic + struct.pack('<HBBI', version, role, index, epoch) + session


def covered(kind, body):
    if kind != TYPES['PAGES'][0]:
        return body
    if len(body) < 32:
        return b''
    return body[: 32 + 12 * struct.unpack_from('<H', body, 6)[0]]


def header(kind, length, sequence=0, flags=0, checksum=0):
    return struct.pack('<HHIII', kind, flags, length, sequence, checksum)


def frame(kind, body, sequence=0, flags=0, length=None):
    number = TYPES[kind][0] if isinstance(kind, str) else kind
    start = header(number, len(body) if length is None else length, sequence, flags)[:12]
    return start + struct.pack('<I', zlib.crc32(start + covered(number, body))) + body


RAW, ZERO, SAME_AS, REFERENCE, DELTA, KEEP, SIMILAR = 1, 2, 3, 4, 5, 8, 9


def entry(first, count, encoding, payload_bytes, reserved=0):
    return struct.pack('<IHBBI', first, count, encoding, reserved, payload_bytes)


def batch_header(fields):
    return struct.pack(
        '<IHHIBB2sI4s8s',
        fields['round'],
        fields['region'],
        fields['entryCount'],
        fields['payloadBytes'],
        fields['compression'],
        fields['stride'],
        fields['reserved'],
        fields['decodedBytes'],
        fields['reserved2'],
        fields['digest'],
    )


class Run:
    """What an entry says of `count` pages; `contents` is what they get, zero pages apart."""

    def __init__(self, encoding, count, payload, contents=()):
        self.encoding, self.count = encoding, count
        self.payload, self.contents = payload, list(contents)


def run_of(what):
    """A run; in short, a list of pages is a raw one and a number one of zero pages."""
    if isinstance(what, int):
        return Run(ZERO, what, b'')
    return Run(RAW, len(what), b''.join(what), what) if isinstance(what, list) else what


def batch(runs, hash_name='xxh64', seed=bytes(8), **changes):
    """`runs`: pairs of a first page and what `run_of` takes; `pack` compresses the payload."""
    table, payload, pages = b'', b'', []
    for first, what in runs:
        run = run_of(what)
        table += entry(first, run.count, run.encoding, len(run.payload))
        payload += run.payload
        pages += run.contents
    table = changes.pop('table', table)
    payload = changes.pop('payload', payload)
    decoded_bytes = len(payload)
    payload = changes.pop('pack', bytes)(payload)
    fields = {
        'round': 1, 'region': 0, 'entryCount': len(table) // 12, 'payloadBytes': len(payload),
        'compression': 0, 'stride': 0, 'reserved': bytes(2), 'decodedBytes': decoded_bytes,
        'reserved2': bytes(4), 'digest': batch_digest(hash_name, seed, pages),
    }
    fields.update(changes)
    return batch_header(fields) + table + payload
