"""batches-packed.json: compressed and transposed payloads, section 5."""

import struct

from .batches_rich import A, B, C, D, OLD, SHORT, edited, start
from .memory import ALL, Memory
from .payloads import (
    BLOCK_MAX, COMPRESSED_BLOCK, LZ4, RESERVED_BLOCK, ZSTD, ZSTD_MAGIC, lz4_length, lz4_literals,
    lz4_period, lz4_sequence, zstd, zstd_block, zstd_header, zstd_literals_block, zstd_raw_block,
    zstd_rle_block,
)

ZERO = bytes(4096)
COUNTED = b''.join((7 * 65536 + at).to_bytes(4, 'little') for at in range(1024))
PACKED = 'CODEC_COMPRESSION'


def lz4(pack=lz4_literals):
    return {'compression': LZ4, 'pack': pack}


def by_zstd(*arguments, **how):
    return {'compression': ZSTD, 'pack': zstd(*arguments, **how)}


def always(compression, data):
    """A payload that is these bytes, whatever it should be."""
    return {'compression': compression, 'pack': lambda _: data}


def stride_vectors():
    m, made = Memory(), []
    for stride in (3, 4, 5, 6):
        made += [
            m.good(f'stride {stride}', 'without compression', 0, (5, [COUNTED, D]), stride=stride),
            m.good(f'stride {stride}, bytes over', 'they stay', 7, (0, [C, SHORT]), stride=stride),
            m.good(f'stride {stride}, one byte', 'less than a row', 65535, (0, [b'x']),
                   stride=stride),
            m.good(f'stride {stride}, no payload', 'zero only', 0, (0, 3), stride=stride),
            m.good(f'stride {stride}, LZ4', '', 0, (5, [D, COUNTED]), stride=stride, **lz4()),
            m.good(f'stride {stride}, zstd', '', 0, (5, [C, D]), stride=stride, **by_zstd()),
        ]
    short = [m.good(f'stride {stride}, {size} bytes', 'about a row', 1, (0, [bytes(range(size))]),
                    stride=stride)
             for stride in (3, 6) for size in (1, 7, 8, 9, 63, 64, 65, 129)
             for m in [Memory(regions=[{'id': 1, 'byteLength': size}])]]
    rich = start()
    runs = [(9, rich.same(0, 2)), (12, rich.delta(0, 12, [edited(OLD, 3, 700)])), (2, [A]), (8, 1)]
    mixed = [rich.good(f'stride {stride}, same-as, delta, raw', '', 0, *runs, stride=stride)
             for stride in (3, 6)]
    for name in ('lz4', 'zstd'):
        only = Memory(capabilities=[name])
        mixed.append(only.good(f'stride with {name} only', '', 0, (5, [C]), stride=4))
    return made + short + mixed


def lz4_block_twice(data):
    """Literals, a match from far back, literals: the second half is the first again."""
    half = len(data) // 2
    assert data[:half] == data[half:]
    return lz4_sequence(data[:half], half - 12, half) + lz4_sequence(data[-12:])


def lz4_vectors():
    m, rich = Memory(), start()
    big = Memory(regions=[{'id': 0, 'byteLength': 1024 * 4096}])
    made = []
    for size in (1, 14, 15, 16, 269, 270, 271):
        small = Memory(regions=[{'id': 1, 'byteLength': size}])
        made.append(small.good(f'LZ4, {size} literals', '', 1, (0, [C[:size]]), **lz4()))
    return made + [
        m.good('LZ4, literals only', '', 0, (5, [C]), **lz4()),
        m.good('LZ4, a match of the byte before', '', 0, (5, [A, A]), **lz4(lz4_period(1))),
        m.good('LZ4, a match that overlaps', 'offset 6', 0, (5, [(b'Godwit' * 683)[:4096]]),
               **lz4(lz4_period(6))),
        m.good('LZ4, a match without overlap', 'offset 4096', 0, (5, [C, C]),
               **lz4(lz4_block_twice)),
        m.good('LZ4, raw and zero runs', '', 0, (5, [C]), (0, 3), (9, [D, B]), **lz4()),
        m.good('LZ4, a short page', '', 7, (0, [C, SHORT]), **lz4()),
        m.good('LZ4, a page of zeros', 'raw may hold zeros', 0, (5, [ZERO]), **lz4(lz4_period(1))),
        rich.good('LZ4, same-as', '', 0, (9, rich.same(0, 0, 3)), **lz4()),
        rich.good('LZ4, delta and raw', '', 0, (0, rich.delta(0, 0, [edited(A, 9)])), (9, [A]),
                  **lz4()),
        big.good('LZ4, 4 MiB', 'the most', 0, (0, [A] * 1024), **lz4(lz4_period(1))),
        Memory(capabilities=['lz4']).good('lz4 only', '', 0, (5, [C]), **lz4()),
    ]


def zstd_vectors():
    m, rich = Memory(), start()
    big = Memory(regions=[{'id': 0, 'byteLength': 1024 * 4096}])
    made = [
        m.good('zstd, a raw block', '', 0, (5, [C]), **by_zstd()),
        m.good('zstd, an RLE block', '', 0, (5, [A, A]), **by_zstd(zstd_rle_block)),
        m.good('zstd, a block of literals', 'compressed, no sequences', 0, (5, [C]),
               **by_zstd(zstd_literals_block, window=17)),
        m.good('zstd, blocks of 1000', '', 0, (5, [C, D]), **by_zstd(block_bytes=1000)),
        m.good('zstd, with a checksum', '', 0, (5, [C]), **by_zstd(checksum=True)),
        m.good('zstd, a window of 1 KiB', 'no single segment', 0, (5, [C]),
               **by_zstd(block_bytes=1024, window=10)),
        m.good('zstd, a window of 8 MiB', 'the largest', 0, (5, [C]), **by_zstd(window=23)),
        m.good('zstd, no size', 'the header of the batch has it', 0, (5, [C]),
               **by_zstd(window=17, size_bytes=0)),
        m.good('zstd, a short page', '', 7, (0, [C, SHORT]), **by_zstd()),
        m.good('zstd, raw and zero runs', '', 0, (5, [C]), (0, 3), (9, [D, B]), **by_zstd()),
        rich.good('zstd, same-as', '', 0, (9, rich.same(0, 0, 3)), **by_zstd()),
        rich.good('zstd, delta and raw', '', 0, (0, rich.delta(0, 0, [edited(A, 9)])), (9, [A]),
                  **by_zstd()),
        big.good('zstd, 4 MiB', 'the most', 0, (0, [A] * 1024), **by_zstd(zstd_rle_block)),
        Memory(capabilities=['zstd']).good('zstd only', '', 0, (5, [C]), **by_zstd()),
    ]
    for size_bytes in (2, 4, 8):
        name = f'zstd, a size of {size_bytes} bytes'
        made.append(m.good(name, '', 0, (5, [C]), **by_zstd(size_bytes=size_bytes)))
    tiny = Memory(regions=[{'id': 1, 'byteLength': 100}])
    made.append(tiny.good('zstd, a size of 1 byte', '', 1, (0, [SHORT]), **by_zstd(size_bytes=1)))
    return made


def lacking_vectors():
    made = []
    for name, packed in (('zstd', by_zstd()), ('lz4', lz4())):
        for capabilities in ([one for one in ALL if one != name], []):
            m = Memory(capabilities=capabilities)
            said = f'{name} without {name if capabilities else "anything"}'
            made.append(m.bad(said, 'CODEC_ENCODING', 'not negotiated', 0, (5, [C]), **packed))
    m = Memory(capabilities=['references', 'delta'])
    for stride in (3, 6):
        name = f'stride {stride} without compression'
        made.append(m.bad(name, 'CODEC_ENCODING', 'not negotiated', 0, (5, [C]), stride=stride))
    return made


def stated_vectors():
    """Lengths in the header and the table that a payload does not have."""
    m, made, batch = Memory(), [], 'CODEC_BATCH'
    for name, packed in (('zstd', by_zstd()), ('LZ4', lz4())):
        for size in (1, 4095, 4097, 8192):
            made.append(m.bad(f'{name}: {size} bytes for a table of 4096', batch, 'another sum', 0,
                              (5, [C]), payload=(C + D)[:size], **packed))
        for size in (4194305, (1 << 32) - 1):
            made.append(m.bad(f'{name}: decodedBytes {size}', 'LIMIT_EXCEEDED', '', 0, (5, [C]),
                              decodedBytes=size, **packed))
        made.append(m.bad(f'{name}: payload for no run', batch, 'sum 0', 0, (5, 1),
                          payload=C, **packed))
    for stride in (1, 2, 7, 255):
        made.append(m.raw(f'stride {stride}, LZ4', batch, '0, or 3 to 6',
                          changed(m.make(0, [(5, [C])], **lz4()), 13, stride)))
    damaged = m.make(0, [(5, [C])], **lz4())
    made.append(m.raw('LZ4: a literal damaged', 'CODEC_DIGEST', '', damaged[:-1] + b'\x99'))
    made.append(m.raw('another stride', 'CODEC_DIGEST', '',
                      changed(m.make(0, [(5, [C])], stride=4), 13, 5)))
    return made


def changed(data, at, byte):
    return data[:at] + bytes([byte]) + data[at + 1 :]


def bad_lz4_vectors():
    tail = lz4_sequence(A[-5:])
    broken = {
        'nothing': b'',
        'a token alone': b'\xf0',
        'literals cut': lz4_literals(C)[:-1],
        'a length cut': b'\xf0' + b'\xff' * 5,
        'a length of no end': b'\xf0' + b'\xff' * 4000,
        'half an offset': b'\x10\x11\x01',
        'a match length cut': b'\x1f\x11\x01\x00',
        'a match at the end': lz4_sequence(A[:1], 4095),
        'offset 0': lz4_sequence(A[:1], 4090, 0) + tail,
        'offset 2 after one byte': lz4_sequence(A[:1], 4090, 2) + tail,
        'offset 65535 after one byte': lz4_sequence(A[:1], 4090, 65535) + tail,
        'a match first': lz4_sequence(b'', 4091, 1) + tail,
        'a byte too few': lz4_sequence(A[:1], 4089) + tail,
        'a byte too many': lz4_sequence(A[:1], 4091) + tail,
        'a literal too many': lz4_literals(C + b'x'),
        'far too many': lz4_sequence(A[:1], 16 << 20) + tail,
        'a length of 2^32': b'\x1f\x11\x01\x00' + lz4_length((1 << 20) * 255) + tail,
        'a block behind it': lz4_literals(C) + lz4_literals(C),
        'a size in front': struct.pack('<I', 4096) + lz4_literals(C),
        'a zstd frame': zstd()(C),
    }
    m = Memory()
    return [m.bad(f'LZ4: {name}', PACKED, '', 0, (5, [C]), **always(LZ4, data))
            for name, data in broken.items()]


def bad_zstd_vectors():
    good = zstd()(C)
    block = zstd_raw_block(C, True)
    rle = zstd_rle_block(A, False)
    bomb = zstd_rle_block(b'\x11' * BLOCK_MAX, False) * 100 + zstd_rle_block(A, True)
    summed = zstd(checksum=True)(C)
    broken = {
        'nothing': b'',
        'another magic': b'\x29' + good[1:],
        'the magic alone': ZSTD_MAGIC,
        'a header alone': zstd_header(4096),
        'a block cut': good[:-1],
        'no last block': zstd_header(4096) + zstd_raw_block(C, False),
        'a byte too few': zstd()(C[:-1]),
        'a byte too many': zstd()(C + b'x'),
        'a byte too few, no size': zstd(window=17, size_bytes=0)(C[:-1]),
        'a byte too many, no size': zstd(window=17, size_bytes=0)(C + b'x'),
        'another size in its header': zstd_header(4095) + block,
        'far too many, no size': zstd_header(0, 0, 17) + bomb,
        'far too many, a size that fits': zstd_header(4096) + rle + bomb,
        'a checksum damaged': summed[:-1] + bytes([summed[-1] ^ 1]),
        'a reserved block': zstd_header(4096) + zstd_block(RESERVED_BLOCK, 4096, C, True),
        'a compressed block of noise': zstd_header(4096)
        + zstd_block(COMPRESSED_BLOCK, 40, b'\xff' * 40, True),
        'a reserved bit': changed(good, 4, good[4] | 8),
        'a dictionary': zstd_header(4096, dictionary=7) + block,
        'a skippable frame': bytes.fromhex('502a4d18') + struct.pack('<I', 4096) + C,
        'an LZ4 block': lz4_literals(C),
    }
    m = Memory()
    return [m.bad(f'zstd: {name}', PACKED, '', 0, (5, [C]), **always(ZSTD, data))
            for name, data in broken.items()]


def vectors():
    made = stride_vectors() + lz4_vectors() + zstd_vectors() + lacking_vectors()
    return made + stated_vectors() + bad_lz4_vectors() + bad_zstd_vectors()
