#!/usr/bin/env python3
"""Golden hashes of the guest content generators, by an implementation of their own.

Writes content.json beside itself: `python3 test/vectors/content.py`. Takes a few seconds.

A generator's state is one xorshift64* word and the heap's object pointer. Text, heap and random
pages draw from the same word, so their order matters.
"""
import hashlib
import json
import pathlib
import struct

MASK = (1 << 64) - 1
PAGE = 4096
RUN = 2 << 20
HEAP_START = 0x7F3A10000000

WORDS = """the of and request session error user to in timeout value connection is for buffer index
that with update on as was node cluster replica are this by be not memory migrate from which page or
an storage has volume have at queue handler latency state policy checkpoint""".split()


class Generator:
    def __init__(self, seed, heap=HEAP_START):
        self.word = 88172645463325252 ^ (seed * 0x9E3779B97F4A7C15 & MASK)
        self.heap = heap
        for _ in range(8):
            self.draw()

    def draw(self):
        word = self.word
        word ^= word << 13 & MASK
        word ^= word >> 7
        word ^= word << 17 & MASK
        self.word = word
        return word * 2685821657736338717 & MASK

    def line(self):
        r = self.draw()
        ident = self.draw() & 0xFFFFFFFF
        level = "INFO " if r >> 36 & 7 else "WARN "
        text = (
            f"2024-0{r % 9 + 1}-{(r >> 4 & 15) + 10:02d}T{(r >> 9) % 24:02d}:{(r >> 14) % 60:02d}"
            f":{(r >> 20) % 60:02d}.{(r >> 26) % 1000:03d}Z {level} [worker-{r >> 39 & 15}]"
            f" id={ident:08x} path=/api/v{(r >> 43 & 3) + 1}/{WORDS[(r >> 45) % 48]}"
            f"/{(r >> 51) % 5000} dur={r >> 57}ms "
        )
        q = self.draw()
        for _ in range(3 + (q & 7)):
            if len(text) >= 280:
                break
            q = (q * 6364136223846793005 + 1442695040888963407) & MASK
            text += WORDS[min((q >> 33) % 48, (q >> 40) % 48)] + " "
        return text[:-1] + "\n"

    def text(self):
        page = ""
        while len(page) < PAGE:
            page += self.line()
        return page[:PAGE].encode("ascii")

    def heap_page(self):
        out = []
        for _ in range(PAGE // 64):
            r = self.draw()
            near = self.heap + (r >> 32 & 0xFFF8)
            last = 0 if r >> 48 & 3 else self.heap
            out += [0x21 << 32 | r & 7, r >> 8 & 0xFF, r >> 16 & 0xFFFF, near]
            out += [0, r >> 24 & 0x3F, 1, last]
            self.heap += 64
        return struct.pack("<512Q", *out)

    def random(self):
        return struct.pack("<512Q", *(self.draw() for _ in range(PAGE // 8)))

    def pages(self, kinds):
        make = {"text": self.text, "heap": self.heap_page, "random": self.random}
        return b"".join(make[kind]() for kind in kinds)


def fill(byte_length, mix, seed):
    generator = Generator(seed)
    zero, text, heap, _ = mix
    image = bytearray()
    run = 0
    while len(image) < byte_length:
        x = run * 61 % 100
        if x < zero:
            image += bytes(RUN)
        else:
            kind = "text" if x < zero + text else "heap" if x < zero + text + heap else "random"
            left = -(-min(RUN, byte_length - len(image)) // PAGE)
            image += generator.pages([kind] * left)
        run += 1
    return bytes(image[:byte_length])


def digest(data):
    return hashlib.sha256(data).hexdigest()


def main():
    pages = []
    for seed in (0, 1, 2, 0xFFFFFFFF, 12345678901, (1 << 53) - 1):
        for kinds in (["text"] * 5, ["heap"] * 5, ["random"] * 5,
                      ["text", "heap", "random", "heap", "text", "random"]):
            data = Generator(seed).pages(kinds)
            pages.append({"seed": seed, "pages": kinds, "sha256": digest(data)})
    # The low word of the object pointer passes 2^32 inside these pages.
    start = 0x7F3AFFFFE000
    carry = digest(Generator(7, start).pages(["heap"] * 4))
    fills = []
    for seed, mix, byte_length in (
        (1, [20, 30, 30, 20], (9 << 20) + 1234),
        (99, [10, 20, 30, 40], (8 << 20) + PAGE * 3),
        (1, [40, 30, 20, 10], (9 << 20) + 4097),
        (3, [0, 0, 100, 0], 5000),
    ):
        sha256 = digest(fill(byte_length, mix, seed))
        fills.append({"seed": seed, "mix": mix, "byteLength": byte_length, "sha256": sha256})
    vectors = {
        "note": "SHA-256 of generated content; written by content.py",
        "pages": pages,
        "heapCarry": {"seed": 7, "heapPointerLow": start & 0xFFFFFFFF, "pages": 4, "sha256": carry},
        "fills": fills,
    }
    target = pathlib.Path(__file__).with_suffix(".json")
    target.write_text(json.dumps(vectors, indent=2) + "\n")


if __name__ == "__main__":
    main()
