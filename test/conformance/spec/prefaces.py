"""preface.json: section 2."""

from .frame import CONTROL, DATA, MAGIC, REVERSE, ROLES, SESSION, URGENT, preface
from .output import vector


def valid(name, note, role, index, session=SESSION, epoch=0):
    role_name = next(name for name, number in ROLES.items() if number == role)
    expect = {'version': 1, 'role': role_name, 'index': index, 'epoch': epoch}
    expect['session'] = session.hex()
    data = preface(role, index, epoch=epoch, session=session)
    return vector(name, note, data, expect=expect)


def bad(name, note, data, error, at):
    """`errorAt`: how many bytes a receiver needs at most before it must refuse."""
    return vector(name, note, data, error=error, errorAt=at)


def magic_vectors():
    made = []
    for at in range(8):
        data = bytearray(preface())
        data[at] ^= 0x20
        name = f'magic byte {at} wrong'
        made.append(bad(name, 'refused at that byte', bytes(data), 'WIRE_MAGIC', at + 1))
    http = b'GET / HTTP/1.1\r\nHost: example.org\r\n\r\n'
    made.append(bad('an HTTP request', 'not Godwit', http, 'WIRE_MAGIC', 1))
    lost = MAGIC.replace(b'\r\n', b'\n') + preface()[8:]
    made.append(bad('CR LF made LF', 'a text transfer', lost, 'WIRE_MAGIC', 5))
    return made


def field_vectors():
    return [
        bad('version 0', '', preface(version=0), 'WIRE_PREFACE', 32),
        bad('version 2', '', preface(version=2), 'WIRE_PREFACE', 32),
        bad('version 1, sealed', 'no key here', preface(version=0x8001), 'AUTH_REQUIRED', 32),
        bad('version 2, sealed', '', preface(version=0x8002), 'WIRE_PREFACE', 32),
        bad('version 256', 'big-endian 1', preface(version=256), 'WIRE_PREFACE', 32),
        bad('role 0', '', preface(role=0), 'WIRE_PREFACE', 32),
        bad('role 5', 'reserved', preface(role=5), 'WIRE_PREFACE', 32),
        bad('role 9', '', preface(role=9), 'WIRE_PREFACE', 32),
        bad('role 255', '', preface(role=255), 'WIRE_PREFACE', 32),
        bad('control 1', 'control has index 0', preface(CONTROL, 1), 'WIRE_PREFACE', 32),
        bad('control 255', '', preface(CONTROL, 255), 'WIRE_PREFACE', 32),
        bad('urgent 1', 'urgent has index 0', preface(URGENT, 1), 'WIRE_PREFACE', 32),
        bad('urgent 255', '', preface(URGENT, 255), 'WIRE_PREFACE', 32),
        bad('reverse 1', 'reverse has index 0', preface(REVERSE, 1), 'WIRE_PREFACE', 32),
        bad('data 64', 'one over', preface(DATA, 64), 'WIRE_PREFACE', 32),
        bad('data 255', '', preface(DATA, 255), 'WIRE_PREFACE', 32),
    ]


def truncated_vectors():
    made = []
    for size in (1, 7, 8, 10, 16, 31):
        data = preface()[:size]
        name = f'ends after {size} bytes'
        made.append(vector(name, 'the stream ends', data, error='WIRE_TRUNCATED', ended=True))
    return made


def vectors():
    return [
        valid('control', '', CONTROL, 0),
        valid('data 0', '', DATA, 0),
        valid('data 63', 'the last index', DATA, 63),
        valid('urgent', '', URGENT, 0),
        valid('reverse', '', REVERSE, 0),
        valid('a session of zeros', 'a session is any 16 bytes', CONTROL, 0, bytes(16)),
        valid('a session of 0xff', 'a session is any 16 bytes', CONTROL, 0, b'\xff' * 16),
        valid('control, epoch 1', 'the first recovery', CONTROL, 0, epoch=1),
        valid('data 1, epoch 258', 'bytes in order', DATA, 1, epoch=258),
        valid('urgent, epoch 2^32 - 1', 'the highest', URGENT, 0, epoch=0xFFFFFFFF),
        *magic_vectors(),
        *field_vectors(),
        *truncated_vectors(),
    ]
