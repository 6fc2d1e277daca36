"""XXH64 in plain Python, and the fingerprints and digests of section 5.

XXH3 is taken from the script that writes the vectors of the kernels, which is as independent."""

import functools
import hashlib
import importlib.util
import pathlib

_path = pathlib.Path(__file__).parents[3] / 'packages/kernels/test-vectors/xxh3.py'
_spec = importlib.util.spec_from_file_location('xxh3', _path)
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
xxh3 = _module.xxh3

MASK = (1 << 64) - 1
P1 = 0x9E3779B185EBCA87
P2 = 0xC2B2AE3D27D4EB4F
P3 = 0x165667B19E3779F9
P4 = 0x85EBCA77C2B2AE63
P5 = 0x27D4EB2F165667C5


def rotate(value, bits):
    return ((value << bits) | (value >> (64 - bits))) & MASK


def step(lane, word):
    return rotate((lane + word * P2) & MASK, 31) * P1 & MASK


def word_at(data, at, size):
    return int.from_bytes(data[at : at + size], 'little')


def stripes(data, seed):
    lanes = [(seed + P1 + P2) & MASK, (seed + P2) & MASK, seed, (seed - P1) & MASK]
    at = 0
    while at + 32 <= len(data):
        lanes = [step(lane, word_at(data, at + 8 * i, 8)) for i, lane in enumerate(lanes)]
        at += 32
    total = sum(rotate(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18))) & MASK
    for lane in lanes:
        total = ((total ^ step(0, lane)) * P1 + P4) & MASK
    return total, at


def xxh64(data, seed=0):
    total, at = stripes(data, seed) if len(data) >= 32 else ((seed + P5) & MASK, 0)
    total = (total + len(data)) & MASK
    while at + 8 <= len(data):
        total = (rotate(total ^ step(0, word_at(data, at, 8)), 27) * P1 + P4) & MASK
        at += 8
    if at + 4 <= len(data):
        total = (rotate(total ^ (word_at(data, at, 4) * P1 & MASK), 23) * P2 + P3) & MASK
        at += 4
    for byte in data[at:]:
        total = rotate(total ^ (byte * P5 & MASK), 11) * P1 & MASK
    total = (total ^ (total >> 33)) * P2 & MASK
    total = (total ^ (total >> 29)) * P3 & MASK
    return total ^ (total >> 32)


@functools.lru_cache(maxsize=4096)
def fingerprint(name, seed, page):
    if name == 'sha256':
        return hashlib.sha256(seed + page).digest()
    function = xxh3 if name == 'xxh3' else xxh64
    return function(page, int.from_bytes(seed, 'little')).to_bytes(8, 'little')


def digest(name, fingerprints):
    joined = b''.join(fingerprints)
    if name == 'sha256':
        return hashlib.sha256(joined).digest()
    return (xxh3 if name == 'xxh3' else xxh64)(joined, 0).to_bytes(8, 'little')


def batch_digest(name, seed, pages):
    if not pages:
        return bytes(8)
    return digest(name, [fingerprint(name, seed, page) for page in pages])[:8]
