"""control-nested.json: maps and arrays inside RESERVE, VERIFY, WELCOME, END and END_ACK."""

from .control import bad, valid
from .messages import BAD, BIN8, BIN32, FAULTS, PLAIN
from .msgpack import As, pack
from .output import short, vector


def many(kind, name, message, key):
    lengths = {key: len(message[key])}
    return vector(f'{kind} {name}', 'the most', pack(message), type=kind, expectLengths=lengths)


def guest_vectors():
    def reserve(guest):
        return {**PLAIN['RESERVE'], 'guest': guest}

    def options(value):
        return reserve({'kind': 'memory', 'options': value})

    most = {f'option-{at}': at for at in range(64)}
    good = [
        ('a guest with options', options({'rate': 2.5, 'seed': -1, 'name': 'Möwe', 'empty': ''})),
        ('64 options', options(most)),
        ('an option of 4096', options({'x': 'ö' * 4096})),
        ('an option named constructor', options({'constructor': 1})),
        ('an option named prototype', options({'prototype': 1})),
        ('an option named toString', options({'toString': 1})),
        ('an option named length', options({'length': 1})),
        ('options named as numbers are', options({'1': 1, '0': 0, '-1': 'x'})),
        ('an option with a name of 128', options({'k' * 128: 1})),
        ('an option as float 32', options({'x': As('f32', 0.5)})),
        ('a guest with a name', reserve({'kind': 'memory', 'options': {}, 'name': 'web1'})),
    ]
    wrong = [
        ('an option named __proto__', options({'__proto__': 'x'})),
        ('65 options', options({**most, 'more': 1})),
        ('an option of 4097', options({'x': 'x' * 4097})),
        ('an option with no name', options({'': 1})),
        ('an option with a name of 129', options({'k' * 129: 1})),
        ('options in an array', options([])),
        ('options in a bin', options(b'')),
        ('an option whose key is no str', options({1: 1})),
        ('a guest in an array', reserve([])),
        ('no options', reserve({'kind': 'memory'})),
        ('no guest kind', reserve({'options': {}})),
    ]
    for value in (None, True, b'x', [], {}, float('nan'), float('inf')):
        wrong.append((f'an option {value!r}', options({'x': value})))
    for value in BAD['name']:
        name = f'a guest kind {short(value)}'
        wrong.append((name, reserve({'kind': value, 'options': {}})))
        called = {'kind': 'memory', 'options': {}, 'name': value}
        wrong.append((f'a guest name {short(value)}', reserve(called)))
    made = [valid('RESERVE', name, '', message) for name, message in good]
    unknown = reserve({'kind': 'memory', 'options': {}, 'extra': [1]})
    made.append(valid('RESERVE', 'unknown guest key', 'ignored', unknown, PLAIN['RESERVE']))
    return made + [bad('RESERVE', name, '', message) for name, message in wrong]


def region_vectors():
    def regions(value):
        return {**PLAIN['RESERVE'], 'regions': value}

    base = {'id': 7, 'name': 'r', 'byteLength': 1}
    full = [{**base, 'id': at} for at in range(1024)]
    good = [
        ('one byte', [base]),
        ('4 GiB', [{**base, 'byteLength': 4294967296}]),
        ('id 65535', [{**base, 'id': 65535}]),
        ('two regions of one name', [base, {**base, 'id': 0}]),
    ]
    wrong = [
        ('no region', []),
        ('1025 regions', full + [{**base, 'id': 1024}]),
        ('an id twice', [base, {**base, 'name': 'other'}]),
        ('an id twice, in two widths', [base, {**base, 'id': As('f64', 7.0)}]),
    ]
    for key, kind in (('id', 'u16'), ('name', 'name'), ('byteLength', 'u32')):
        wrong.append((f'no {key}', [{name: base[name] for name in base if name != key}]))
        values = [0, 4294967297] + BAD['u32'][:-1] if key == 'byteLength' else BAD[kind]
        for value in values:
            wrong.append((f'{key} {short(value)}', [{**base, key: value}]))
    made = [valid('RESERVE', f'regions: {name}', '', regions(value)) for name, value in good]
    made.append(many('RESERVE', '1024 regions', regions(full), 'regions'))
    plain = regions([base])
    extra = regions([{**base, 'node': 1}])
    made.append(valid('RESERVE', 'regions: unknown key', 'ignored', extra, plain))
    return made + [bad('RESERVE', f'regions: {name}', '', regions(value)) for name, value in wrong]


def verify_vectors():
    def verify(value):
        return {**PLAIN['VERIFY'], 'regions': value}

    base = {'id': 7, 'digest': BIN8}
    full = [{'id': at, 'digest': BIN8} for at in range(1024)]
    made = [
        valid('VERIFY', 'one region', '', verify([base])),
        valid('VERIFY', 'a region of 32', '', verify([{**base, 'digest': BIN32}])),
        many('VERIFY', '1024 regions', verify(full), 'regions'),
        valid('VERIFY', 'unknown key of a region', '', verify([{**base, 'x': 1}]), verify([base])),
        bad('VERIFY', '1025 regions', '', verify(full + [{'id': 1024, 'digest': BIN8}])),
        bad('VERIFY', 'a region without id', '', verify([{'digest': BIN8}])),
        bad('VERIFY', 'a region without digest', '', verify([{'id': 7}])),
    ]
    for key, kind in (('id', 'u16'), ('digest', 'digest')):
        for value in BAD[kind]:
            message = verify([{**base, key: value}])
            made.append(bad('VERIFY', f'region {key} {short(value)}', '', message))
    return made


def other_vectors():
    made = []
    welcome = PLAIN['WELCOME']
    for value in (['final'], ['ä', 'n' * 128]):
        message = {**welcome, 'capabilities': value}
        made.append(valid('WELCOME', f'capabilities {len(value)}', '', message))
    for value in ([''], ['n' * 129], [None]):
        name = f'capability of {len(str(value[0]))}'
        made.append(bad('WELCOME', name, '', {**welcome, 'capabilities': value}))
    for value in BAD['u32']:
        message = {**welcome, 'finalAfterMs': value}
        made.append(bad('WELCOME', f'finalAfterMs {value!r}', 'listed, so described', message))
    for value in BAD['name']:
        made.append(bad('ERROR', f'phase {short(value)}', '', {**PLAIN['ERROR'], 'phase': value}))
    for kind in ('END', 'END_ACK'):
        for key in ('cpuSeconds', 'overheadBytes'):
            for value in (None, '1', float('nan'), float('inf'), [1]):
                message = {**PLAIN[kind], 'usage': {key: value}}
                made.append(bad(kind, f'usage {key} {value!r}', '', message))
        message = {**PLAIN[kind], 'usage': {'cpuSeconds': -1}}
        made.append(bad(kind, 'usage cpuSeconds -1', 'an amount is not negative', message))
        message = {**PLAIN[kind], 'usage': {'watts': 3}}
        made.append(valid(kind, 'usage with an unknown key', 'ignored', message, PLAIN[kind]))
    return made


def faults_vectors():
    def faults(value):
        return {**PLAIN['END_ACK'], 'faults': value}

    zeros = {key: 0 for key in FAULTS}
    unknown = faults({**FAULTS, 'retries': 3})
    made = [
        valid('END_ACK', 'faults: none', 'nobody waited', faults(zeros)),
        valid('END_ACK', 'faults: unknown key', 'ignored', unknown, faults(FAULTS)),
    ]
    for key in FAULTS:
        rest = {name: value for name, value in FAULTS.items() if name != key}
        made.append(bad('END_ACK', f'faults: no {key}', '', faults(rest)))
        for value in BAD['count' if key == 'count' else 'amount']:
            message = faults({**FAULTS, key: value})
            made.append(bad('END_ACK', f'faults: {key} {short(value)}', '', message))
    return made


def vectors():
    made = guest_vectors() + region_vectors()
    return made + verify_vectors() + other_vectors() + faults_vectors()
