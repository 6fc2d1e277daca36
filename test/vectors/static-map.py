#!/usr/bin/env python3
"""A static map learned from small guests, by an implementation of its own.

Writes static-map.json beside itself: `python3 test/vectors/static-map.py`. With a file, prints the
map in it: `python3 test/vectors/static-map.py MAP`.

A page of number n > 0 is SHA-256 of n (4 bytes, little-endian) over and over; page 0 is zeros. Of
XXH3 it has what packages/kernels/test-vectors/xxh3.py says.
"""
import hashlib
import itertools
import json
import pathlib
import struct
import sys

here = pathlib.Path(__file__).resolve()
sys.path.insert(0, str(here.parents[2] / "packages/kernels/test-vectors"))
from xxh3 import xxh3  # noqa: E402

PAGE = 4096


def page(number):
    if number == 0:
        return bytes(PAGE)
    return hashlib.sha256(struct.pack("<I", number)).digest() * (PAGE // 32)


def content_hash(data):
    return struct.pack("<I", xxh3(data, 0) & 0xFFFFFFFF) + hashlib.sha256(data).digest()[:28]


def leb128(value):
    out = bytearray()
    while value > 127:
        out.append(128 | value & 127)
        value >>= 7
    return bytes(out + bytes([value]))


def runs(pages):
    out, after, i = b"", 0, 0
    while i < len(pages):
        length = 1
        while i + length < len(pages) and pages[i + length] == pages[i] + length:
            length += 1
        several = length > 1
        out += leb128((pages[i] - after) * 2 + several)
        if several:
            out += leb128(length - 2)
        after = pages[i] + length
        i += length
    return out


def text(value):
    data = value.encode()
    return bytes([len(data)]) + data


def encode(fields, pages, hashes):
    head = struct.pack("<4s6I", b"GWSM", 1, fields["pageBytes"], fields["version"],
                       fields["sampleCount"], len(hashes), len(pages))
    names = text(fields["os"]) + text(fields["hypervisor"])
    return head + names + runs(pages) + b"".join(hashes)


def decode(data):
    magic, form, page_bytes, version, samples, entries, count = struct.unpack_from("<4s6I", data)
    assert magic == b"GWSM" and form == 1
    at = 28
    names = []
    for _ in range(2):
        names.append(data[at + 1:at + 1 + data[at]].decode())
        at += 1 + data[at]

    def number():
        nonlocal at
        value = shift = 0
        while True:
            value |= (data[at] & 127) << shift
            at += 1
            if data[at - 1] < 128:
                return value
            shift += 7

    pages, after = [], 0
    while len(pages) < count:
        several = number()
        first = after + several // 2
        after = first + (number() + 2 if several % 2 else 1)
        pages += range(first, after)
    hashes = [data[at + 32 * i:at + 32 * i + 32] for i in range(entries)]
    assert len(data) == at + 32 * entries
    fields = {"os": names[0], "hypervisor": names[1], "pageBytes": page_bytes,
              "version": version, "sampleCount": samples}
    return fields, pages, hashes


def learn(samples, minimum):
    """The rule as it reads: sets of everything, compared at the end."""
    guests = [[content_hash(page(n)) if n else None for n in guest] for guest in samples]
    pages = [at for at in range(min(map(len, guests)))
             if guests[0][at] and all(guest[at] == guests[0][at] for guest in guests)]
    hashes = [guests[0][at] for at in pages]
    known = set(hashes)
    for guest in guests:
        for one in guest:
            if one and one not in known and sum(one in other for other in guests) >= minimum:
                known.add(one)
                hashes.append(one)
    return pages, hashes


def repeats(guest):
    """Pairs: a page, how often in a row."""
    return [[number, len(list(group))] for number, group in itertools.groupby(guest)]


def vector(os, hypervisor, minimum, samples):
    fields = {"os": os, "hypervisor": hypervisor, "pageBytes": PAGE,
              "version": len(samples), "sampleCount": len(samples)}
    pages, hashes = learn(samples, minimum)
    data = encode(fields, pages, hashes)
    assert decode(data) == (fields, pages, hashes)
    return {"os": os, "hypervisor": hypervisor, "minimumSamples": minimum,
            "samples": [repeats(guest) for guest in samples],
            "positions": pages, "entries": len(hashes), "hex": data.hex(),
            "sha256": hashlib.sha256(data).hexdigest()}


def main():
    shared = list(range(1, 21))
    vectors = [
        vector("debian/12.5", "qemu/7.2", 2, [[1, 2, 0, 3], [1, 5, 0, 3]]),
        vector("debian/12.5", "qemu/7.2", 2, [[1, 2, 3], [4, 5, 6]]),
        vector("naïve os", "", 2, [
            shared + [100, 0, 100, 7] + list(range(200, 210)) + [1],
            shared[:9] + [300] + shared[10:] + list(range(204, 212)) + [0, 100],
            shared[:9] + [301] + shared[10:] + [100, 0, 205, 7] + [400, 401],
        ]),
        vector("os", "hypervisor", 3, [
            [0] * 300 + [1, 1, 1] + [0] * 200 + [2, 9] + [0] * 9000 + [3],
            [0] * 300 + [1, 1, 1] + [0] * 200 + [2, 8] + [0] * 9000 + [3],
            [9] + [0] * 299 + [1, 1, 1] + [0] * 200 + [2, 8] + [0] * 9000 + [3],
        ]),
    ]
    out = {"note": "Static maps of small guests; written by static-map.py", "maps": vectors}
    target = here.with_suffix(".json")
    target.write_text(json.dumps(out, separators=(",", ":")).replace('{"os"', '\n{"os"') + "\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        fields, pages, hashes = decode(pathlib.Path(sys.argv[1]).read_bytes())
        print(fields, len(hashes), "entries, page ids", pages)
    else:
        main()
