"""A MessagePack writer that can also write what section 4 forbids."""

import struct

FORMATS = {
    'u8': (0xCC, '>B'), 'u16': (0xCD, '>H'), 'u32': (0xCE, '>I'), 'u64': (0xCF, '>Q'),
    'i8': (0xD0, '>b'), 'i16': (0xD1, '>h'), 'i32': (0xD2, '>i'), 'i64': (0xD3, '>q'),
    'f32': (0xCA, '>f'), 'f64': (0xCB, '>d'),
}
HEADS = {
    'str8': (0xD9, '>B'), 'str16': (0xDA, '>H'), 'str32': (0xDB, '>I'),
    'bin8': (0xC4, '>B'), 'bin16': (0xC5, '>H'), 'bin32': (0xC6, '>I'),
    'array16': (0xDC, '>H'), 'array32': (0xDD, '>I'),
    'map16': (0xDE, '>H'), 'map32': (0xDF, '>I'),
}


class Raw:
    """Bytes that are written as they are."""

    def __init__(self, data):
        self.data = data


class As:
    """A value in a format of the writer's choice."""

    def __init__(self, form, value):
        self.form = form
        self.value = value


def head(form, count):
    code, layout = HEADS[form]
    return bytes([code]) + struct.pack(layout, count)


def number(form, value):
    code, layout = FORMATS[form]
    return bytes([code]) + struct.pack(layout, value)


def pack_int(value):
    if 0 <= value < 128:
        return bytes([value])
    if -32 <= value < 0:
        return struct.pack('>b', value)
    forms = ('u8', 'u16', 'u32', 'u64') if value > 0 else ('i8', 'i16', 'i32', 'i64')
    for bits, form in zip((8, 16, 32, 64), forms):
        if -(1 << (bits - 1)) <= value < (1 << bits):
            return number(form, value)
    raise ValueError(value)


def sized(kind, count, small):
    if small is not None and count < small[1]:
        return bytes([small[0] | count])
    for bits, form in ((8, kind + '8'), (16, kind + '16'), (32, kind + '32')):
        if count < (1 << bits) and form in HEADS:
            return head(form, count)
    raise ValueError(count)


def items(value):
    if isinstance(value, dict):
        return b''.join(pack(key) + pack(item) for key, item in value.items())
    if isinstance(value, list):
        return b''.join(pack(item) for item in value)
    return value.encode('utf-8', 'surrogatepass') if isinstance(value, str) else value


def pack(value):
    if isinstance(value, Raw):
        return value.data
    if isinstance(value, As):
        if value.form in FORMATS:
            return number(value.form, value.value)
        body = items(value.value)
        count = len(value.value) if isinstance(value.value, (dict, list)) else len(body)
        return head(value.form, count) + body
    if value is None or isinstance(value, bool):
        return {None: b'\xc0', False: b'\xc2', True: b'\xc3'}[value]
    if isinstance(value, int):
        return pack_int(value)
    if isinstance(value, float):
        return number('f64', value)
    body = items(value)
    if isinstance(value, str):
        return sized('str', len(body), (0xA0, 32)) + body
    if isinstance(value, bytes):
        return sized('bin', len(body), None) + body
    small = (0x80, 16) if isinstance(value, dict) else (0x90, 16)
    return sized('map' if isinstance(value, dict) else 'array', len(value), small) + body


def plain(value):
    """The value as a vector file shows it."""
    if isinstance(value, As):
        return plain(value.value)
    if isinstance(value, bytes):
        return {'$bin': value.hex()}
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
