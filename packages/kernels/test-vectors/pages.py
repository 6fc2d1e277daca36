"""What classify, transpose and features give, in plain Python, and the test vectors that it makes.

Written from their descriptions only, and XXH32 from the published specification (xxHash,
doc/xxhash_spec.md), so that the kernels are tested against something independent of them.

    python3 pages.py > pages.json    write the vectors
    python3 pages.py --check         compare with the module xxhash (Debian: python3-xxhash)
"""

import hashlib
import sys

M32 = (1 << 32) - 1

PRIME32_1 = 0x9E3779B1
PRIME32_2 = 0x85EBCA77
PRIME32_3 = 0xC2B2AE3D
PRIME32_4 = 0x27D4EB2F
PRIME32_5 = 0x165667B1


def rotate(x, by):
    x &= M32
    return (x << by | x >> (32 - by)) & M32


def xxh32(data):
    """With seed 0; any length."""
    n = len(data)
    at = 0
    if n < 16:
        acc = PRIME32_5
    else:
        lanes = [PRIME32_1 + PRIME32_2, PRIME32_2, 0, -PRIME32_1]
        while at + 16 <= n:
            for i in range(4):
                word = int.from_bytes(data[at : at + 4], "little")
                lanes[i] = rotate(lanes[i] + word * PRIME32_2, 13) * PRIME32_1
                at += 4
        acc = sum(rotate(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18)))
    acc += n
    while at + 4 <= n:
        word = int.from_bytes(data[at : at + 4], "little")
        acc = rotate(acc + word * PRIME32_3, 17) * PRIME32_4
        at += 4
    while at < n:
        acc = rotate(acc + data[at] * PRIME32_5, 11) * PRIME32_1
        at += 1
    acc &= M32
    acc = (acc ^ acc >> 15) * PRIME32_2 & M32
    acc = (acc ^ acc >> 13) * PRIME32_3 & M32
    return acc ^ acc >> 16


def classify(page):
    return [sum(a == b for a, b in zip(page, page[lag:])) for lag in (8, 16, 32, 64)]


def transpose(data, stride):
    whole = len(data) // stride * stride
    return b"".join(data[c:whole:stride] for c in range(stride)) + data[whole:]


def features(page):
    part = len(page) // 8
    out = []
    for k in range(8):
        at = k * part + (3 * k + 3) % 8 * part // 8
        block = page[at : at + 64]
        out.append((xxh32(block) or 1) if any(block) else 0)
    return out


def block_of_hash_0():
    """64 bytes that are not all zero, and yet XXH32 with seed 0 gives 0 for them.

    Zeros but for the last word of the first lane, which every step can be solved for.
    """

    def inverse(x):
        return pow(x, -1, 1 << 32)

    def run(lane, words):
        for _ in range(words):
            lane = rotate(lane, 13) * PRIME32_1 & M32
        return lane

    others = ((PRIME32_2, 7), (0, 12), (-PRIME32_1, 18))
    rest = 64 + sum(rotate(run(start, 4), by) for start, by in others)
    lane = rotate(-rest, 32 - 1)
    mixed = rotate(lane * inverse(PRIME32_1), 32 - 13)
    word = (mixed - run(PRIME32_1 + PRIME32_2, 3)) * inverse(PRIME32_2) & M32
    return bytes(48) + word.to_bytes(4, "little") + bytes(12)


def noise(length):
    """The top bytes of an LCG."""
    x = 1
    out = bytearray()
    for _ in range(length):
        x = x * 1664525 + 1013904223 & M32
        out.append(x >> 24)
    return bytes(out)


def records(length):
    """Records of 32 bytes: eight that change at random, 24 that do not change."""
    return bytes(b if i % 32 < 8 else i % 32 for i, b in enumerate(noise(length)))


def islands(length):
    """Zeros, and from every fourth KiB on, 1 KiB of noise."""
    return bytes(0 if i >> 10 & 3 else b for i, b in enumerate(noise(length)))


INPUTS = {"noise": noise, "records": records, "islands": islands}
BORDERS = [8, 16, 32, 64, 128, 512, 1024, 4096]
LENGTHS = sorted({0, 1, *(b + d for b in BORDERS for d in (-1, 0, 1)), 1000, 65536})


def quoted(row):
    """One line, or as many as there are values where it would be too long for the formatter."""
    pairs = [f'"{name}": {value}' for name, value in row.items()]
    line = "    { " + ", ".join(pairs) + " }"
    if len(line) < 100:
        return line
    return "    {\n      " + ",\n      ".join(pairs) + "\n    }"


def main():
    assert xxh32(block_of_hash_0()) == 0
    parts = {"classify": [], "transpose": [], "features": []}
    for name, make in INPUTS.items():
        whole = make(65536)
        for length in LENGTHS:
            data = whole[:length]
            row = {"input": f'"{name}"', "length": length}
            if length > 0:
                parts["classify"].append({**row, "counts": classify(data)})
            for stride in (8, 16, 32, 64):
                digest = hashlib.sha256(transpose(data, stride)).hexdigest()[:16]
                parts["transpose"].append({**row, "stride": stride, "digest": f'"{digest}"'})
        for length in (4096, 8192, 16384, 32768, 65536):
            row = {"input": f'"{name}"', "length": length}
            samples = b"".join(x.to_bytes(4, "little") for x in features(whole[:length])).hex()
            parts["features"].append({**row, "samples": f'"{samples}"'})
    lists = []
    for part, rows in parts.items():
        lists.append(f'  "{part}": [\n' + ",\n".join(map(quoted, rows)) + "\n  ]")
    print(f'{{\n  "zeroHash": "{block_of_hash_0().hex()}",\n' + ",\n".join(lists) + "\n}")


def check():
    import xxhash

    data = noise(4096)
    for length in range(len(data)):
        assert xxh32(data[:length]) == xxhash.xxh32_intdigest(data[:length]), length
    print(f"{len(data)} of xxhash {xxhash.XXHASH_VERSION}: equal")


if __name__ == "__main__":
    check() if "--check" in sys.argv else main()
