"""AES-256-GCM (FIPS 197, NIST SP 800-38D), slow and plain; the standard library has none."""


def _times(a, b):
    product = 0
    while b:
        if b & 1:
            product ^= a
        a = (a << 1) ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def _sbox():
    inverse = {0: 0}
    for a in range(1, 256):
        inverse[a] = next(b for b in range(1, 256) if _times(a, b) == 1)
    box = []
    for a in range(256):
        b, value = inverse[a], 0x63
        for shift in range(5):
            value ^= ((b << shift) | (b >> (8 - shift))) & 0xFF
        box.append(value)
    return box


SBOX = _sbox()


def _expand(key):
    words, power = [key[i : i + 4] for i in range(0, 32, 4)], 1
    for i in range(8, 60):
        word = words[-1]
        if i % 8 == 0:
            word = bytes(SBOX[b] for b in word[1:] + word[:1])
            word = bytes([word[0] ^ power]) + word[1:]
            power = _times(power, 2)
        elif i % 8 == 4:
            word = bytes(SBOX[b] for b in word)
        words.append(bytes(a ^ b for a, b in zip(words[i - 8], word)))
    return [b''.join(words[i : i + 4]) for i in range(0, 60, 4)]


def _mix(state):
    mixed = []
    for c in range(0, 16, 4):
        column = state[c : c + 4]
        for row in range(4):
            factors = (2, 3, 1, 1)
            value = 0
            for k in range(4):
                value ^= _times(column[(row + k) % 4], factors[k])
            mixed.append(value)
    return mixed


def _encrypt(keys, block):
    state = [a ^ b for a, b in zip(block, keys[0])]
    for turn in range(1, 15):
        state = [SBOX[b] for b in state]
        state = [state[(i + 4 * (i % 4)) % 16] for i in range(16)]
        if turn < 14:
            state = _mix(state)
        state = [a ^ b for a, b in zip(state, keys[turn])]
    return bytes(state)


def _multiply(x, y):
    product = 0
    for bit in range(127, -1, -1):
        if (x >> bit) & 1:
            product ^= y
        y = (y >> 1) ^ (0xE1 << 120 if y & 1 else 0)
    return product


def _ghash(h, data):
    value = 0
    for at in range(0, len(data), 16):
        value = _multiply(value ^ int.from_bytes(data[at : at + 16], 'big'), h)
    return value


def _padded(data):
    return data + bytes(-len(data) % 16)


def seal(key, nonce, plain, additional=b''):
    """Ciphertext and tag."""
    keys = _expand(key)
    h = int.from_bytes(_encrypt(keys, bytes(16)), 'big')
    blocks = []
    for number, at in enumerate(range(0, len(plain), 16)):
        stream = _encrypt(keys, nonce + (number + 2).to_bytes(4, 'big'))
        blocks.append(bytes(a ^ b for a, b in zip(plain[at : at + 16], stream)))
    sealed = b''.join(blocks)
    lengths = (len(additional) * 8).to_bytes(8, 'big') + (len(sealed) * 8).to_bytes(8, 'big')
    value = _ghash(h, _padded(additional) + _padded(sealed) + lengths)
    mask = int.from_bytes(_encrypt(keys, nonce + b'\0\0\0\1'), 'big')
    return sealed + (value ^ mask).to_bytes(16, 'big')


# The first two vectors for 256 bits of the specification that was submitted to NIST.
assert seal(bytes(32), bytes(12), b'').hex() == '530f8afbc74536b9a963b4f1c4cb738b'
assert (
    seal(bytes(32), bytes(12), bytes(16)).hex()
    == 'cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919'
)
