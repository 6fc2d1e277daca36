"""static.json: section 13, what is made of secrets and contents."""

import hashlib
import hmac

from .hashes import xxh3

CONTEXT = b'godwit static 1'


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def content_hash(page):
    return xxh3(page, 0).to_bytes(8, 'little')[:4] + hashlib.sha256(page).digest()[:28]


def numbers(first, count):
    return bytes((first + at * 11) % 256 for at in range(count))


def vector(name, secret, session, fingerprint_seed, verify_seed, nonce, page):
    key = mac(secret, CONTEXT + session + fingerprint_seed + verify_seed + nonce)
    content = content_hash(page)
    return {
        'name': name,
        'secret': secret.hex(),
        'session': session.hex(),
        'fingerprintSeed': fingerprint_seed.hex(),
        'verifySeed': verify_seed.hex(),
        'staticNonce': nonce.hex(),
        'key': key.hex(),
        'proof': mac(key, b'source')[:16].hex(),
        'page': {'bytes': len(page), 'first': page[0], 'step': (page[1] - page[0]) % 256},
        'contentHash': content.hex(),
        'entryHash': hashlib.sha256(key + content).digest()[:16].hex(),
    }


def vectors():
    secret, session, nonce = numbers(1, 32), numbers(2, 16), numbers(3, 16)
    seeds = (numbers(4, 8), numbers(5, 8))
    page = bytes((7 + at * 3) % 256 for at in range(4096))
    large = bytes((9 + at * 5) % 256 for at in range(65536))
    return [
        vector('plain', secret, session, *seeds, nonce, page),
        vector('zeros', bytes(32), bytes(16), bytes(8), bytes(8), bytes(16), page),
        vector('another nonce', secret, session, *seeds, numbers(6, 16), page),
        vector('another session', secret, numbers(7, 16), *seeds, nonce, page),
        vector('seeds the other way round', secret, session, *reversed(seeds), nonce, page),
        vector('another secret, a page of 64 KiB', numbers(8, 32), session, *seeds, nonce, large),
    ]
