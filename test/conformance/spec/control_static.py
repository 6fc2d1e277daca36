"""control-static.json: section 13 in RESERVE, STATIC_HELD and END."""

from .control import bad, valid
from .messages import BAD, MAP_OFFER, IMAGE_KEY, IMAGE_OFFER, PLAIN
from .msgpack import pack
from .output import short, vector

LONGEST = 'n' * 64 + '/' + 'v' * 63
NO_RELEASES = [
    'debian', '/13', 'debian/', 'debian/13/1', '-a/1', 'a/.1', 'a b/1', 'débian/13', 'debian/13\n',
    'debian\x1b[2J/13', 'debian/13\x9b2J', 'n' * 65 + '/1', 'n/' + 'v' * 64,
]
OTHER = b'\x09' * 16


def offers_vectors():
    def offers(*value):
        return {**PLAIN['RESERVE'], 'static': list(value)}

    many = [{**IMAGE_OFFER, 'id': bytes([at]) * 16, 'proof': bytes([at + 32]) * 16} for at in range(9)]
    good = [
        ('a map', offers(MAP_OFFER)),
        ('an image', offers(IMAGE_OFFER)),
        ('both', offers(IMAGE_OFFER, MAP_OFFER)),
        ('eight', offers(*many[:8])),
        ('two versions of a map', offers(MAP_OFFER, {**MAP_OFFER, 'version': 4, 'proof': OTHER})),
        ('another hypervisor', offers(MAP_OFFER, {**MAP_OFFER, 'hypervisor': 'x/1', 'proof': OTHER})),
        ('every entry has a place', offers({**MAP_OFFER, 'positions': MAP_OFFER['entries']})),
        ('the most entries', offers({**MAP_OFFER, 'entries': 16777216})),
        ('by position', offers({**MAP_OFFER, 'mode': 'position'})),
        ('names of 128', offers({**MAP_OFFER, 'os': LONGEST, 'hypervisor': 'Q.e_m-u/1:8.2+dfsg~rc1'})),
    ]
    wrong = [
        ('none', offers()),
        ('nine', offers(*many)),
        ('the same proof', offers(MAP_OFFER, {**IMAGE_OFFER, 'proof': MAP_OFFER['proof']})),
        ('the same image', offers(IMAGE_OFFER, {**IMAGE_OFFER, 'proof': OTHER})),
        ('the same map', offers(MAP_OFFER, {**MAP_OFFER, 'proof': OTHER})),
        ('more places than entries', offers({**MAP_OFFER, 'positions': MAP_OFFER['entries'] + 1})),
        *((f'not a release: {text!r}', offers({**MAP_OFFER, 'os': text})) for text in NO_RELEASES),
        ('no entry', offers({**MAP_OFFER, 'entries': 0, 'positions': 0})),
        ('too many entries', offers({**MAP_OFFER, 'entries': 16777217})),
        ('another kind', offers({**MAP_OFFER, 'kind': 'guess'})),
        ('a bin', {**PLAIN['RESERVE'], 'static': b'\0'}),
    ]
    for offer, keys in ((MAP_OFFER, MAP_KEYS), (IMAGE_OFFER, IMAGE_KEYS)):
        for key, kind in keys.items():
            rest = {name: value for name, value in offer.items() if name != key}
            wrong.append((f'{offer["kind"]} without {key}', offers(rest)))
            for value in BAD[kind]:
                name = f'{offer["kind"]} {key} {short(value)}'
                wrong.append((name, offers({**offer, key: value})))
    made = [valid('RESERVE', f'static: {name}', '', message) for name, message in good]
    unknown = offers({**IMAGE_OFFER, 'node': 1})
    made.append(valid('RESERVE', 'static: unknown key', 'ignored', unknown, offers(IMAGE_OFFER)))
    return made + [bad('RESERVE', f'static: {name}', '', message) for name, message in wrong]


MAP_KEYS = {
    'kind': 'mode', 'os': 'name', 'hypervisor': 'name', 'version': 'u32', 'entries': 'entry',
    'positions': 'entry', 'mode': 'mode', 'proof': 'bin16',
}
IMAGE_KEYS = {'kind': 'mode', 'id': 'bin16', 'proof': 'bin16'}


def held_vectors():
    plain = PLAIN['STATIC_HELD']
    hashes = {'set': 7, 'first': 3, 'hashes': bytes(range(32))}
    most = {'hashes': 131072}
    many = pack({**hashes, 'hashes': bytes(131072)})
    wrong = [
        ('both', {**plain, 'hashes': bytes(16)}),
        ('no hash', {**hashes, 'hashes': b''}),
        ('half a hash', {**hashes, 'hashes': bytes(24)}),
        ('too many hashes', {**hashes, 'hashes': bytes(131088)}),
        ('hashes in an array', {**hashes, 'hashes': [1] * 16}),
    ]
    made = [
        valid('STATIC_HELD', 'hashes', '', hashes),
        vector('STATIC_HELD 8192 hashes', 'the most', many, type='STATIC_HELD', expectLengths=most),
    ]
    return made + [bad('STATIC_HELD', name, '', message) for name, message in wrong]


def images_vectors():
    def images(*value):
        return {**PLAIN['END'], 'images': list(value)}

    made = [
        valid('END', 'images: one', '', images(IMAGE_KEY)),
        valid('END', 'images: sixteen', '', images(*[IMAGE_KEY] * 16)),
        valid('END', 'images: unknown key', '', images({**IMAGE_KEY, 'x': 1}), images(IMAGE_KEY)),
        bad('END', 'images: none', '', images()),
        bad('END', 'images: seventeen', '', images(*[IMAGE_KEY] * 17)),
    ]
    for key, size in (('id', 16), ('token', 32)):
        rest = {name: value for name, value in IMAGE_KEY.items() if name != key}
        made.append(bad('END', f'images: no {key}', '', images(rest)))
        for value in (None, 1, 'x' * size, b'', bytes(size - 1), bytes(size + 1)):
            message = images({**IMAGE_KEY, key: value})
            made.append(bad('END', f'images: {key} {short(value)}', '', message))
    return made


def vectors():
    return offers_vectors() + held_vectors() + images_vectors()
