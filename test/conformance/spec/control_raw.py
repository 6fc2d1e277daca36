"""control-raw.json: bodies that are no MessagePack map, or one that is not allowed."""

from .messages import PLAIN
from .msgpack import head, pack
from .output import vector

BASE = pack(PLAIN['ROUND_ACK'])


def bad(name, note, data, kind='HEARTBEAT'):
    return vector(f'body: {name}', note, data, type=kind, error='WIRE_BODY')


def with_key(value):
    """A HEARTBEAT with one unknown key: what may stand even in a place that is ignored."""
    return b'\x81' + pack('x') + value


def no_map_vectors():
    made = [bad('empty', 'not a map', b'')]
    values = [None, True, False, 0, -1, 1.5, 'x', b'x', [], [{}]]
    for value in values:
        made.append(bad(f'is {value!r}', 'not a map', pack(value)))
    made.append(bad('0xc1', 'never used in MessagePack', b'\xc1'))
    made.append(bad('two maps', 'bytes after the map', b'\x80\x80'))
    made.append(bad('key 1', 'a key is a str', b'\x81\x01\x01'))
    made.append(bad('key bin', 'a key is a str', b'\x81' + pack(b'x') + b'\x01'))
    made.append(bad('key nil', 'a key is a str', b'\x81\xc0\x01'))
    return made


def extension_vectors():
    forms = {
        'fixext 1': b'\xd4\x01\x00', 'fixext 2': b'\xd5\x01' + bytes(2),
        'fixext 4': b'\xd6\x01' + bytes(4), 'timestamp 32': b'\xd6\xff' + bytes(4),
        'fixext 8': b'\xd7\x01' + bytes(8), 'timestamp 64': b'\xd7\xff' + bytes(8),
        'fixext 16': b'\xd8\x01' + bytes(16), 'ext 8': b'\xc7\x00\x01',
        'timestamp 96': b'\xc7\x0c\xff' + bytes(12), 'ext 16': b'\xc8\x00\x01\x01\x00',
        'ext 32': b'\xc9\x00\x00\x00\x01\x01\x00', '0xc1': b'\xc1',
    }
    made = [bad(f'{name} in an ignored key', '', with_key(data)) for name, data in forms.items()]
    for name, data in forms.items():
        made.append(bad(f'{name} in an array', '', with_key(b'\x92\x01' + data)))
    ext_round = b'\x81' + pack('round') + b'\xd4\x00\x01'
    made.append(bad('an ext for a round', '', ext_round, 'ROUND_ACK'))
    return made


def nested(levels, inner, as_map=False):
    """A body whose deepest container is at `levels`."""
    open_one = (b'\x81' + pack('k')) if as_map else b'\x91'
    return with_key(open_one * (levels - 1) + inner)


def depth_vectors():
    note = 'the map itself is level 0'
    made = []
    for kind, inner, as_map in (('arrays', b'\x90', False), ('maps', b'\x80', True)):
        fine = nested(8, inner, as_map)
        made.append(vector(f'body: 8 levels of {kind}', note, fine, type='HEARTBEAT', expect={}))
        made.append(bad(f'9 levels of {kind}', note, nested(9, inner, as_map)))
        made.append(bad(f'1000 levels of {kind}', note, nested(1000, inner, as_map)))
    return made


def count_vectors():
    most = (1 << 32) - 1
    counts = [
        ('array32', most), ('map32', most), ('str32', most), ('bin32', most),
        ('array16', 65535), ('map16', 65535), ('str16', 65535), ('bin16', 65535),
        ('str8', 255), ('bin8', 255), ('array32', 2), ('map32', 1),
    ]
    made = []
    for form, count in counts:
        data = with_key(head(form, count) + b'\x01')
        made.append(bad(f'{form} of {count} with 1 byte', 'the body cannot hold it', data))
    made.append(bad('map 16 of 65535', 'the body cannot hold it', head('map16', 65535)))
    made.append(bad('map 32 of 2^32 - 1', 'the body cannot hold it', head('map32', most)))
    made.append(bad('fixmap of 15', 'the body cannot hold it', b'\x8f'))
    made.append(bad('fixarray of 15', 'the body cannot hold it', with_key(b'\x9f')))
    made.append(bad('fixstr of 31', 'the body cannot hold it', with_key(b'\xbf')))
    for code in (0xCA, 0xCB, 0xCC, 0xCD, 0xCE, 0xCF, 0xD0, 0xD1, 0xD2, 0xD3):
        data = with_key(bytes([code]))
        made.append(bad(f'{code:#x} without its number', 'the body cannot hold it', data))
    return made


def allowed_vectors():
    """Everything the list of section 4 allows, under a key that is ignored."""
    forms = {
        'nil': b'\xc0', 'false': b'\xc2', 'true': b'\xc3', 'NaN': pack(float('nan')),
        'infinity': pack(float('inf')), 'float 32': b'\xca\x7f\x80\x00\x00',
        'u64 of 2^64 - 1': pack((1 << 64) - 1), 'i64 of -2^63': pack(-(1 << 63)),
        'str': pack('渡り鳥'), 'bin': pack(b'\x00\xff'), 'array': pack([1, 'x', None, []]),
        'map': pack({'a': {'b': 1}}),
    }
    made = []
    for name, data in forms.items():
        body = with_key(data)
        note = 'ignored'
        made.append(vector(f'body: {name} is allowed', note, body, type='HEARTBEAT', expect={}))
    padded = with_key(head('bin16', 16000) + bytes(16000))
    made.append(vector('body: 16,004 bytes', 'ignored', padded, type='HEARTBEAT', expect={}))
    return made


def prefix_vectors():
    made = []
    for size in range(len(BASE)):
        made.append(bad(f'ROUND_ACK cut to {size}', 'incomplete', BASE[:size], 'ROUND_ACK'))
    return made


def vectors():
    made = no_map_vectors() + extension_vectors() + depth_vectors()
    return made + count_vectors() + allowed_vectors() + prefix_vectors()
