"""sealing.json: section 12."""

import hashlib
import hmac
import struct

from . import gcm
from .frame import CONTROL, DATA, REVERSE, URGENT, preface

SEALED = 0x8001
PSK, TLS, SESSION_METHOD = 1, 2, 3


def extract(salt, secret):
    return hmac.new(salt, secret, hashlib.sha256).digest()


def expand(key, info):
    return hmac.new(key, info + b'\1', hashlib.sha256).digest()


def nonce(first):
    return bytes((first + i * 7) % 256 for i in range(32))


def hail(method, role=CONTROL, index=0, epoch=0):
    return preface(role, index, SEALED, epoch) + bytes([method]) + bytes(7) + nonce(0x11)


def values(secret, hailed, status=0):
    head = struct.pack('<H', status) + bytes(6) + nonce(0x83)
    context = hashlib.sha256(hailed + head).digest()
    key = extract(nonce(0x11) + nonce(0x83), secret)
    return head, lambda name: expand(key, b'godwit 1 ' + name + context)


def record(key, number, plain):
    length = struct.pack('<I', len(plain))
    sealed = gcm.seal(key, bytes(4) + struct.pack('<Q', number), plain, length)
    return {'number': number, 'plain': plain.hex(), 'hex': (length + sealed).hex()}


def agreed(name, note, secret, hailed):
    head, value = values(secret, hailed)
    source, destination = value(b'source key'), value(b'destination key')
    return {
        'name': name,
        **({'note': note} if note else {}),
        'secret': secret.hex(),
        'hail': hailed.hex(),
        'answer': (head + value(b'destination proof')).hex(),
        'proof': value(b'source proof').hex(),
        'session': value(b'session').hex(),
        'fromSource': [
            record(source, 0, b'HELLO'),
            record(source, 1, bytes(range(40))),
            record(source, 0x100000002, b'a record later than 2^32'),
            record(source, 3, b''),
        ],
        'fromDestination': [record(destination, 0, preface()), record(destination, 1, b'')],
    }


def refused(name, secret, hailed, status):
    head, value = values(secret, hailed, status)
    answer = (head + value(b'refusal')).hex()
    return {'name': name, 'secret': secret.hex(), 'hail': hailed.hex(), 'refusal': answer}


def mended(name, secret, root):
    mixed = extract(root, secret)
    return {'name': name, 'secret': secret.hex(), 'root': root.hex(), 'mended': mixed.hex()}


def vectors():
    key, exported = b'sixteen or more bytes: a key', bytes(range(0x40, 0x60))
    _, value = values(key, hail(PSK))
    root = value(b'session')
    mixed = extract(root, key)
    return [
        agreed('a pre-shared key', 'epoch 0', key, hail(PSK)),
        agreed('a key of 1024 bytes', 'the longest', bytes(1024), hail(PSK)),
        agreed('TLS', 'the secret is that of the exporter', exported, hail(TLS)),
        agreed('data 0', 'the session value of the first', root, hail(SESSION_METHOD, DATA)),
        agreed('data 63', '', root, hail(SESSION_METHOD, DATA, 63)),
        agreed('urgent', '', root, hail(SESSION_METHOD, URGENT)),
        agreed('reverse', '', root, hail(SESSION_METHOD, REVERSE)),
        mended('the secret of epoch 1', key, root),
        agreed('control, epoch 1', 'mended', mixed, hail(PSK, epoch=1)),
        refused('no such session', key, hail(PSK, epoch=1), 85),
    ]
