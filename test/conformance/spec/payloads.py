"""How payloads are packed: LZ4 blocks and zstd frames by hand, transposition, deltas."""

import struct

from .hashes import xxh64

LZ4, ZSTD = 2, 1


def transpose(data, stride):
    width = 1 << stride
    rows = len(data) // width
    columns = [data[at : rows * width : width] for at in range(width)]
    return b''.join(columns) + data[rows * width :]


def lz4_length(value):
    """What follows a nibble of 15."""
    return b'\xff' * (value // 255) + bytes([value % 255])


def lz4_sequence(literals, match=0, offset=1):
    """`match` bytes from `offset` back; without, the block's last sequence."""
    high = min(len(literals), 15)
    low = min(match - 4, 15) if match else 0
    made = bytes([high << 4 | low])
    if high == 15:
        made += lz4_length(len(literals) - 15)
    made += literals
    if match:
        made += struct.pack('<H', offset)
        if low == 15:
            made += lz4_length(match - 4 - 15)
    return made


def lz4_literals(data):
    return lz4_sequence(data)


def lz4_period(period):
    """For payloads that repeat after `period` bytes: one match that overlaps itself."""
    def pack(data):
        assert data == (data[:period] * (len(data) // period + 1))[: len(data)]
        match = len(data) - period - 5
        return lz4_sequence(data[:period], match, period) + lz4_sequence(data[-5:])
    return pack


ZSTD_MAGIC = bytes.fromhex('28b52ffd')
BLOCK_MAX = 128 * 1024
RAW_BLOCK, RLE_BLOCK, COMPRESSED_BLOCK, RESERVED_BLOCK = 0, 1, 2, 3


def zstd_block(kind, size, content, last):
    return struct.pack('<I', size << 3 | kind << 1 | last)[:3] + content


def zstd_raw_block(data, last):
    return zstd_block(RAW_BLOCK, len(data), data, last)


def zstd_rle_block(data, last):
    assert data == data[:1] * len(data)
    return zstd_block(RLE_BLOCK, len(data), data[:1], last)


def zstd_literals_block(data, last):
    """A compressed block of raw literals and no sequences."""
    head = struct.pack('<I', len(data) << 4 | 3 << 2)[:3]
    content = head + data + b'\x00'
    return zstd_block(COMPRESSED_BLOCK, len(content), content, last)


def zstd_header(size, size_bytes=4, window=None, checksum=False, dictionary=None):
    """A single segment, or with `window` as the window's exponent; `size_bytes` 0: no size."""
    flag = {0: 0, 1: 0, 2: 1, 4: 2, 8: 3}[size_bytes]
    single = window is None
    assert not single or size_bytes
    shown = size - 256 if size_bytes == 2 else size
    field = shown.to_bytes(size_bytes, 'little') if size_bytes else b''
    descriptor = flag << 6 | single << 5 | checksum << 2 | (dictionary is not None)
    made = ZSTD_MAGIC + bytes([descriptor])
    if not single:
        made += bytes([(window - 10) << 3])
    return made + (b'' if dictionary is None else bytes([dictionary])) + field


def zstd(block=zstd_raw_block, block_bytes=BLOCK_MAX, **header):
    """A packer whose frames have blocks of one kind."""
    def pack(data):
        made = zstd_header(len(data), **header)
        starts = range(0, len(data), block_bytes)
        for at in starts:
            made += block(data[at : at + block_bytes], at == starts[-1])
        if header.get('checksum'):
            made += struct.pack('<I', xxh64(data) & 0xFFFFFFFF)
        return made
    return pack


def leb(value):
    made = b''
    while value >= 0x80:
        made += bytes([value & 0x7F | 0x80])
        value >>= 7
    return made + bytes([value])


def pair(stay, change):
    return leb(stay) + leb(len(change)) + change


def delta(base, page):
    """The plainest: every run of bytes that differ is a pair."""
    made, at = b'', 0
    while True:
        start = at
        while start < len(page) and page[start] == base[start]:
            start += 1
        if start == len(page):
            return made
        end = start
        while end < len(page) and page[end] != base[end]:
            end += 1
        made += pair(start - at, page[start:end])
        at = end
