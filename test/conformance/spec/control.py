"""control.json: the bodies of section 4, as the table of kinds makes them."""

from .messages import BAD, GOOD, KEYS, OPTIONAL, PLAIN
from .msgpack import As, Raw, pack, plain
from .output import short, vector


def valid(kind, name, note, message, expect=None):
    shown = plain(message if expect is None else expect)
    return vector(f'{kind} {name}', note, pack(message), type=kind, expect=shown)


def bad(kind, name, note, message):
    return vector(f'{kind} {name}', note, pack(message), type=kind, error='WIRE_BODY')


def table_vectors(kind):
    base = PLAIN[kind]
    made = [valid(kind, 'plain', 'every mandatory key', base)]
    if kind in OPTIONAL:
        made.append(valid(kind, 'complete', 'every optional key too', OPTIONAL[kind]))
    for key, (shape, required) in KEYS[kind].items():
        if required:
            rest = {name: value for name, value in base.items() if name != key}
            made.append(bad(kind, f'without {key}', 'missing key', rest))
        for value in GOOD[shape]:
            made.append(valid(kind, f'{key} = {short(value)}', shape, {**base, key: value}))
        for value in BAD[shape]:
            name = f'{key} = {short(value)} is no {shape}'
            made.append(bad(kind, name, 'wrong type or out of range', {**base, key: value}))
    return made


def unknown_vectors(kind):
    base = PLAIN[kind]
    deep = {'a': [None, True, {'b': b'\x00'}], 'c': -7, 'd': 0.5}
    extra = {'zzz': deep, 'constructor': 1, 'über': 'x'}
    first = {**extra, **base}
    backwards = dict(reversed(list(base.items())))
    made = [
        valid(kind, 'with unknown keys after', 'ignored', {**base, **extra}, base),
        valid(kind, 'with unknown keys before', 'ignored', first, base),
        valid(kind, 'as map 16', 'a count may be longer than it must', As('map16', base)),
        valid(kind, 'as map 32', 'a count may be longer than it must', As('map32', base)),
        bad(kind, 'with a byte behind', 'bytes after the map', Raw(pack(base) + b'\xc0')),
        bad(kind, 'without its last byte', 'the body cannot hold it', Raw(pack(base)[:-1])),
        bad(kind, 'in an array', 'not a map', [base]),
        bad(kind, 'with a key __proto__', 'not allowed at any depth', {**base, '__proto__': 1}),
        bad(kind, 'with a deep key __proto__', 'ignored, but not this', {**base, 'z': {'__proto__': 1}}),
    ]
    if len(base) > 1:
        made.append(valid(kind, 'backwards', 'keys in any order', backwards, base))
    return made


WIDTHS = {
    'ROUND_ACK': [
        ('round', form, 1)
        for form in ('u8', 'u16', 'u32', 'u64', 'i8', 'i16', 'i32', 'i64', 'f64')
    ],
    'RESERVED': [
        ('reservedBytes', 'u64', (1 << 53) - 1),
        ('reservedBytes', 'i64', (1 << 53) - 1),
        ('reservedBytes', 'f64', float((1 << 53) - 1)),
        ('reservedBytes', 'u64', 0),
        ('reservedBytes', 'f64', 0.0),
    ],
    'RUNNING': [
        ('resumeMs', 'f32', 0.25), ('resumeMs', 'f64', 0.1), ('resumeMs', 'u64', 7),
        ('resumeMs', 'i64', 7),
    ],
    'ERROR': [
        ('code', 'i32', 2), ('code', 'u16', 9999), ('text', 'str8', 'x'), ('text', 'str16', 'x'),
        ('text', 'str32', 'x'), ('phase', 'str8', 'commit'), ('phase', 'str32', 'commit'),
    ],
    'STATE': [('package', 'bin8', b'x'), ('package', 'bin16', b'x'), ('package', 'bin32', b'x')],
    'VERIFY': [('regions', 'array16', []), ('regions', 'array32', [])],
    'END': [('usage', 'map16', {}), ('usage', 'map32', {})],
}


def width_vectors(kind):
    made = []
    for key, form, value in WIDTHS.get(kind, []):
        message = {**PLAIN[kind], key: As(form, value)}
        made.append(valid(kind, f'{key} = {value!r} as {form}', 'any width', message))
    return made


def vectors():
    made = []
    for kind in KEYS:
        made += table_vectors(kind) + unknown_vectors(kind) + width_vectors(kind)
    return made
