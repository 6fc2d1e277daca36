"""batches.json: section 5. A receiver starts with memory full of 0xee."""

import hashlib

from .batches_bad import bad_vectors
from .frame import batch
from .output import vector

SEED = bytes.fromhex('0123456789abcdef')
FILL = 0xEE
REGIONS = [
    {'id': 3, 'byteLength': 3 * 4096 + 100},
    {'id': 0, 'byteLength': 16 * 4096},
    {'id': 65535, 'byteLength': 1},
]


def setting(regions, hash_name='xxh64', seed=SEED, page=4096, round_number=1):
    return {
        'pageBytes': page, 'hash': hash_name, 'fingerprintSeed': seed.hex(),
        'round': round_number, 'fill': FILL, 'regions': regions,
    }


def installed(regions, region, runs, page):
    """SHA-256 of every region after the runs: the plainest receiver there can be."""
    memory = {item['id']: bytearray([FILL]) * item['byteLength'] for item in regions}
    target = memory[region]
    for first, what in runs:
        start = first * page
        if isinstance(what, int):
            end = min(start + what * page, len(target))
            target[start:end] = bytes(end - start)
        else:
            for content in what:
                target[start : start + len(content)] = content
                start += len(content)
    return {str(key): hashlib.sha256(value).hexdigest() for key, value in memory.items()}


def valid(name, note, region, runs, regions=None, hash_name='xxh64', seed=SEED, **more):
    regions = REGIONS if regions is None else regions
    page, number = more.get('page', 4096), more.get('round_number', 1)
    data = batch(runs, hash_name, seed, region=region, round=number)
    raw = sum(len(what) for _, what in runs if not isinstance(what, int))
    zero = sum(what for _, what in runs if isinstance(what, int))
    expect = {
        'rawPages': raw, 'zeroPages': zero,
        'sha256': installed(regions, region, runs, page),
    }
    around = setting(regions, hash_name, seed, page, number)
    return vector(name, note, data, **around, expect=expect)


def page(byte, size=4096):
    return bytes([byte]) * size


A, B, C = page(0x11), page(0x22), b'Godwit'.ljust(4096, b'\x00')


def shape_vectors():
    scattered = [(0, [A]), (2, 3), (6, [B, C]), (8, 1), (15, [A])]
    every = [(at, 1) if at % 2 else (at, [A]) for at in range(16)]
    return [
        valid('a raw page', '', 0, [(0, [A])]),
        valid('a raw run', 'payloads without gaps', 0, [(4, [A, B, C])]),
        valid('a zero page', 'digest 0', 0, [(0, 1)]),
        valid('a zero run', 'a whole region', 0, [(0, 16)]),
        valid('mixed', 'raw and zero runs', 0, scattered),
        valid('16 entries', 'raw and zero by turns', 0, every),
        valid('any order', 'entries need not ascend', 0, [(9, [B]), (3, [A]), (0, 2)]),
        valid('a raw page of zeros', 'raw may hold zeros', 0, [(0, [bytes(4096)])]),
        valid('the last page of a region', 'it is short', 3, [(3, [page(0x33, 100)])]),
        valid('a run to the short page', '', 3, [(1, [A, B, page(0x44, 100)])]),
        valid('zero to the short page', 'nothing past it', 3, [(0, 4)]),
        valid('the short page zero', '', 3, [(3, 1)]),
        valid('a region of one byte', '', 65535, [(0, [b'\x7f'])]),
        valid('a region of one byte, zero', '', 65535, [(0, 1)]),
        valid('round 1000000', '', 0, [(0, [A])], round_number=1000000),
    ]


def twice_vectors():
    note = 'the last content stays'
    return [
        valid('raw twice', note, 0, [(5, [A]), (5, [B])]),
        valid('raw, then zero', note, 0, [(5, [A]), (5, 1)]),
        valid('zero, then raw', note, 0, [(5, 1), (5, [A])]),
        valid('zero twice', note, 0, [(5, 1), (4, 3)]),
        valid('runs that overlap', note, 0, [(4, [A, B]), (5, [C, A]), (6, 1)]),
    ]


def hash_vectors():
    made = []
    for hash_name in ('xxh3', 'xxh64', 'sha256'):
        for seed in (bytes(8), SEED, b'\xff' * 8):
            name = f'{hash_name}, seed {seed.hex()}'
            runs = [(0, [A, C]), (2, 2), (9, [B])]
            made.append(valid(name, '', 0, runs, None, hash_name, seed))
        note = 'a short page'
        name = f'{hash_name}, a page of'
        for size in (1, 3, 4, 7, 8, 31, 32, 33, 63, 100):
            content = bytes(range(size))
            regions = [{'id': 1, 'byteLength': 4096 + size}]
            runs = [(1, [content])]
            made.append(valid(f'{name} {size}', note, 1, runs, regions, hash_name))
        zero = valid(f'{hash_name}, zero only', 'digest 0', 0, [(0, 3)], None, hash_name)
        made.append(zero)
    return made


def bound_vectors():
    big = [{'id': 0, 'byteLength': 4097 * 4096}]
    one = [{'id': 9, 'byteLength': 1}]
    large = [{'id': 0, 'byteLength': 2 * 65536 + 5}]
    return [
        valid('1024 raw pages', '4 MiB of payload', 0, [(0, [A] * 1024)], big),
        valid('4096 entries', 'the most', 0, [(7, 1)] * 4096, big),
        valid('a zero run of 4097', '', 0, [(0, 4097)], big),
        valid('1025 short raw pages', '4 MiB / page size + regions', 9, [(0, [b'x'])] * 1025, one),
        valid('pages of 65536', '', 0, [(0, 1), (1, [page(0x55, 65536), b'abcde'])], large,
              page=65536),
    ]


def vectors():
    made = shape_vectors() + twice_vectors() + hash_vectors() + bound_vectors()
    return made + bad_vectors(setting, REGIONS, SEED)
