"""XXH3 with 64 bits and a seed, in plain Python, and the test vectors that it makes.

Written from the published specification only (xxHash, doc/xxhash_spec.md), with no part of any
implementation, so that the kernels are tested against something independent of them.

    python3 xxh3.py > xxh3.json      write the vectors
    python3 xxh3.py --check          compare with the module xxhash (Debian: python3-xxhash)
"""

import sys

M32 = (1 << 32) - 1
M64 = (1 << 64) - 1

PRIME32_1 = 0x9E3779B1
PRIME32_2 = 0x85EBCA77
PRIME32_3 = 0xC2B2AE3D
PRIME64_1 = 0x9E3779B185EBCA87
PRIME64_2 = 0xC2B2AE3D27D4EB4F
PRIME64_3 = 0x165667B19E3779F9
PRIME64_4 = 0x85EBCA77C2B2AE63
PRIME64_5 = 0x27D4EB2F165667C5
PRIME_MX1 = 0x165667919E3779F9
PRIME_MX2 = 0x9FB21C651E98DF25

DEFAULT_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)


def word(data, at, size=8):
    return int.from_bytes(data[at : at + size], "little")


def rotate(x, by):
    return ((x << by) | (x >> (64 - by))) & M64


def swap(x, size):
    return int.from_bytes(x.to_bytes(size, "little"), "big")


def fold(a, b):
    product = a * b
    return (product & M64) ^ (product >> 64)


def avalanche(x):
    x ^= x >> 37
    x = x * PRIME_MX1 & M64
    return x ^ (x >> 32)


def avalanche_xxh64(x):
    x ^= x >> 33
    x = x * PRIME64_2 & M64
    x ^= x >> 29
    x = x * PRIME64_3 & M64
    return x ^ (x >> 32)


def small(data, seed):
    n = len(data)
    s = DEFAULT_SECRET
    if n == 0:
        return avalanche_xxh64(seed ^ word(s, 56) ^ word(s, 64))
    if n <= 3:
        combined = data[n - 1] | n << 8 | data[0] << 16 | data[n >> 1] << 24
        return avalanche_xxh64(((word(s, 0, 4) ^ word(s, 4, 4)) + seed & M64) ^ combined)
    if n <= 8:
        modified = seed ^ swap(seed & M32, 4) << 32
        combined = word(data, n - 4, 4) | word(data, 0, 4) << 32
        x = ((word(s, 8) ^ word(s, 16)) - modified & M64) ^ combined
        x ^= rotate(x, 49) ^ rotate(x, 24)
        x = x * PRIME_MX2 & M64
        x ^= (x >> 35) + n
        x = x * PRIME_MX2 & M64
        return x ^ (x >> 28)
    low = ((word(s, 24) ^ word(s, 32)) + seed & M64) ^ word(data, 0)
    high = ((word(s, 40) ^ word(s, 48)) - seed & M64) ^ word(data, n - 8)
    return avalanche(n + swap(low, 8) + high + fold(low, high) & M64)


def medium(data, seed):
    n = len(data)
    s = DEFAULT_SECRET

    def mix(at, secret_at):
        a = word(data, at) ^ (word(s, secret_at) + seed & M64)
        b = word(data, at + 8) ^ (word(s, secret_at + 8) - seed & M64)
        return fold(a, b)

    acc = n * PRIME64_1
    if n <= 128:
        for i in reversed(range(((n - 1) >> 5) + 1)):
            acc += mix(i * 16, i * 32)
            acc += mix(n - i * 16 - 16, i * 32 + 16)
        return avalanche(acc & M64)
    for i in range(8):
        acc += mix(i * 16, i * 16)
    acc = avalanche(acc & M64)
    for i in range(8, n >> 4):
        acc += mix(i * 16, (i - 8) * 16 + 3)
    acc += mix(n - 16, 119)
    return avalanche(acc & M64)


def derive(seed):
    words = [word(DEFAULT_SECRET, i * 8) for i in range(24)]
    for i in range(12):
        words[i * 2] = words[i * 2] + seed & M64
        words[i * 2 + 1] = words[i * 2 + 1] - seed & M64
    return b"".join(x.to_bytes(8, "little") for x in words)


def large(data, seed):
    n = len(data)
    s = derive(seed)
    acc = [
        PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3,
        PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1,
    ]  # fmt: skip

    def accumulate(at, secret_at):
        for i in range(8):
            lane = word(data, at + i * 8)
            value = lane ^ word(s, secret_at + i * 8)
            acc[i ^ 1] = acc[i ^ 1] + lane & M64
            acc[i] = acc[i] + (value & M32) * (value >> 32) & M64

    blocks = (n - 1) // 1024
    for block in range(blocks):
        for i in range(16):
            accumulate(block * 1024 + i * 64, i * 8)
        for i in range(8):
            x = acc[i] ^ acc[i] >> 47 ^ word(s, 128 + i * 8)
            acc[i] = x * PRIME32_1 & M64
    for i in range((n - blocks * 1024 - 1) // 64):
        accumulate(blocks * 1024 + i * 64, i * 8)
    accumulate(n - 64, 192 - 71)
    result = n * PRIME64_1
    for i in range(4):
        result += fold(acc[i * 2] ^ word(s, 11 + i * 16), acc[i * 2 + 1] ^ word(s, 19 + i * 16))
    return avalanche(result & M64)


def xxh3(data, seed):
    if len(data) <= 16:
        return small(data, seed)
    if len(data) <= 240:
        return medium(data, seed)
    return large(data, seed)


def sample(length):
    """The first `length` bytes that every vector's input begins with: the top bytes of an LCG."""
    x = 1
    out = bytearray()
    for _ in range(length):
        x = x * 1664525 + 1013904223 & M32
        out.append(x >> 24)
    return bytes(out)


SEEDS = [0, 1, 0x80000000, 0x9E3779B185EBCA8D, M64]
BORDERS = [32, 64, 96, 112, 128, 160, 192, 224, 240, 256, 512, 1024, 1088, 2048, 3072, 4096, 8192]
LENGTHS = sorted(
    {*range(0, 36), *(b + d for b in BORDERS for d in (-1, 0, 1)), 16384, 65535, 65536}
)


def check():
    import subprocess

    import xxhash

    data = sample(65536)
    count = 0
    for length in [*range(0, 4200), *LENGTHS]:
        for seed in SEEDS if length in LENGTHS or length % 7 == 0 else [length * PRIME64_3 & M64]:
            expected = xxhash.xxh3_64_intdigest(data[:length], seed)
            assert xxh3(data[:length], seed) == expected, (length, seed)
            count += 1
    print(f"{count} of xxhash {xxhash.XXHASH_VERSION}: equal")
    for length in LENGTHS:
        run = subprocess.run(["xxhsum", "-H3", "-"], input=data[:length], capture_output=True)
        printed = run.stdout.split()[-1].decode()
        assert printed == f"{xxh3(data[:length], 0):016x}", (length, run)
    print(f"{len(LENGTHS)} of xxhsum -H3: equal")


def main():
    data = sample(max(LENGTHS))
    lines = []
    for length in LENGTHS:
        for seed in SEEDS:
            value = xxh3(data[:length], seed)
            lines.append(f'    {{ "length": {length}, "seed": "{seed:016x}", "hash": "{value:016x}" }}')
    print('{\n  "vectors": [\n' + ",\n".join(lines) + "\n  ]\n}")


if __name__ == "__main__":
    check() if "--check" in sys.argv else main()
