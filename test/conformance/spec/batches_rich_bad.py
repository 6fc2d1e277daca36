"""Rich batches with an error each. Checks that are not at fault are right."""

import struct

from .frame import DELTA, KEEP, REFERENCE, SAME_AS, SIMILAR, Run, batch
from .memory import ALL, FILL, Memory, SEED
from .payloads import pair

A, C = b'\x11' * 4096, b'\x22' * 4096
SHORT = b'\x33' * 100
BATCH, RANGE, ENCODING = 'CODEC_BATCH', 'CODEC_PAGE_RANGE', 'CODEC_ENCODING'


def runs_of(m):
    """One right run of each encoding beside raw and zero."""
    return {
        'same-as': m.same(0, 2), 'reference': m.reference(0), 'keep': Memory.keep(1),
        'delta': m.delta(0, 9, [bytes([FILL]) * 4000 + A[:96]]),
        'similar': m.similar((0, 0, A[:77] + C[77:99] + A[99:])),
    }


def negotiated_vectors(start):
    made = []
    needs = {'same-as': 'references', 'reference': 'references', 'keep': 'references',
             'delta': 'delta', 'similar': 'delta'}
    for name, capability in needs.items():
        for lacking in ([capability], ALL):
            rest = [one for one in ALL if one not in lacking]
            m = start(capabilities=rest)
            m.slots[0] = A
            note = 'not negotiated'
            said = 'anything' if lacking is ALL else capability
            made.append(m.bad(f'{name} without {said}', ENCODING, note, 0, (9, runs_of(m)[name])))
    return made


def length_vectors(start):
    """Payloads a byte or a page longer or shorter than the pages can have."""
    m = start().send(0, (0, Memory.keep(0)))
    made = []
    for name, run in runs_of(m).items():
        for change, payload in (
            ('a byte less', run.payload[:-1]), ('a byte more', run.payload + b'\x00'),
            ('nothing', b''), ('one page for two', None),
        ):
            count = 2 if payload is None else 1
            wrong = Run(run.encoding, count, run.payload if payload is None else payload,
                        run.contents)
            made.append(m.bad(f'{name}: {change}', BATCH, 'payload length', 0, (9, wrong)))
    return made


def named_vectors(start):
    """Pages, regions and slots that are not there, or of another length."""
    m = start().send(7, (1, [SHORT])).send(7, (1, Memory.keep(0)))
    most = (1 << 32) - 1
    made = []
    for note, region, page in (('unknown region', 1, 0), ('unknown region', 65534, 0),
                               ('page 16 of 16', 0, 16), ('page 2^32 - 1', 0, most),
                               ('page 4 of 4', 3, 4)):
        same = struct.pack('<HHI', region, 0, page) + bytes(4)
        run = Run(SAME_AS, 1, same, [A])
        made.append(m.bad(f'same-as {note}, {region}', RANGE, '', 0, (9, run)))
        similar = struct.pack('<HHI', region, 0, page) + bytes(4)
        run = Run(SIMILAR, 1, similar, [A])
        made.append(m.bad(f'similar {note}, {region}', RANGE, '', 0, (9, run)))
    two = struct.pack('<HHI', 0, 0, 15) + bytes(8)
    made.append(m.bad('same-as, 2 from page 15', RANGE, '', 0, (9, Run(SAME_AS, 2, two, [A, A]))))
    reserved = struct.pack('<HHI', 0, 1, 0) + m.check(A)
    made.append(m.bad('same-as, reserved', BATCH, '', 0, (9, Run(SAME_AS, 1, reserved, [A]))))
    note = 'another length'
    made += [
        m.bad('same-as a short page', BATCH, note, 0, (9, m.same(7, 1))),
        m.bad('same-as, a short page as a whole one', BATCH, note, 7, (1, m.same(0, 0))),
        m.bad('same-as, a run with a short page', BATCH, note, 0, (8, m.same(7, 0, 2))),
        m.bad('similar to a short page', BATCH, note, 0, (9, m.similar((7, 1, SHORT)))),
        m.bad('similar, a short page to a whole one', BATCH, note, 7, (1, m.similar((0, 0, A)))),
    ]
    for slot in (8, 9, most):
        reference = struct.pack('<I', slot) + m.check(A)
        run = Run(REFERENCE, 1, reference, [A])
        made.append(m.bad(f'reference to slot {slot} of 8', BATCH, '', 0, (9, run)))
        made.append(m.bad(f'keep in slot {slot} of 8', BATCH, '', 0, (9, Memory.keep(slot))))
    for size, note in ((0, 'no store'), (4095, 'less than a page')):
        none = start(store_bytes=size)
        run = Run(REFERENCE, 1, bytes(4) + none.check(A), [A])
        made.append(none.bad(f'reference, storeBytes {size}', BATCH, note, 0, (9, run)))
        made.append(none.bad(f'keep, storeBytes {size}', BATCH, note, 0, (9, Memory.keep(0))))
    odd = start(store_bytes=3 * 4096 + 4095)
    made.append(odd.bad('keep in slot 3 of 3 and a bit', BATCH, '', 0, (0, Memory.keep(3))))
    return made


DELTAS = {
    'one byte': b'\x00', 'no second length': b'\x85', 'a length of no end': b'\x80\x80',
    'no bytes behind': b'\x00\x01', 'too few bytes': b'\x00\x05abcd',
    'a length of four bytes': b'\x80\x80\x80\x00\x01x', 'a longer 0': b'\x80\x00\x01x',
    'a longer 1': b'\x00\x81\x00x', 'nothing changed': b'\x05\x00',
    'nothing changed, at the end': pair(0, b'x') + b'\x05\x00',
    'two pairs that touch': pair(5, b'x') + pair(0, b'y'),
    'past the page': pair(4096, b'x'), 'past the page at its end': pair(4095, b'xy'),
    'two pairs past it': pair(4000, b'x') + pair(4000, b'y'),
    'the largest lengths': b'\xff\xff\x7f\xff\xff\x7f',
    'a byte more than the page': pair(0, A + b'x'),
    'a byte behind': pair(0, b'x') + b'\x07',
}


def delta_vectors(start):
    made = []
    for name, one in DELTAS.items():
        m = start()
        run = m.delta(0, 2, [A], deltas=[one])
        made.append(m.bad(f'delta: {name}', BATCH, 'malformed', 0, (2, run)))
        run = m.similar((0, 2, A), deltas=[one])
        made.append(m.bad(f'similar: {name}', BATCH, 'malformed', 0, (9, run)))
    for size in (4094, 4096):
        m = start()
        run = m.delta(0, 0, [C[:size] + A[size:]], deltas=[pair(0, C[:size])])
        note = 'right, but longer than a page'
        made.append(m.bad(f'delta of {size + 3} bytes', BATCH, note, 0, (0, run)))
    short = start().send(7, (1, [SHORT]))
    one = short.delta(7, 1, [SHORT], deltas=[pair(100, b'x')])
    made.append(short.bad('delta past a short page', BATCH, 'malformed', 7, (1, one)))
    m = start()
    for size in (1, 65535):
        length = m.check(A) + struct.pack('<H', size)
        run = Run(DELTA, 1, length, [A])
        made.append(m.bad(f'delta: {size} bytes stated, none there', BATCH, '', 0, (0, run)))
    borrowed = Run(DELTA, 1, m.check(A) + struct.pack('<H', 4), [A])
    made.append(m.bad('delta that takes bytes of the next run', BATCH, 'past its run', 0,
                      (0, borrowed), (9, [C])))
    return made


def digest_vectors(start):
    m = start().send(0, (0, Memory.keep(0)))
    made = []
    for name, run in runs_of(m).items():
        made.append(m.bad(f'{name}: another digest', 'CODEC_DIGEST', 'all checks right', 0,
                          (9, run), digest=b'\x01' * 8))
    other = m.delta(0, 0, [A[:9] + C[9:18] + A[18:]])
    other.contents = [A]
    made.append(m.bad('delta that makes something else', 'CODEC_DIGEST', '', 0, (0, other)))
    backwards = batch([(9, m.same(0, 2)), (8, m.same(0, 1))], 'xxh64', SEED, round=2)
    swapped = batch([(8, m.same(0, 1)), (9, m.same(0, 2))], 'xxh64', SEED, round=2)
    made.append(m.raw('digest in page order', 'CODEC_DIGEST', 'it is in table order',
                      backwards[:24] + swapped[24:32] + backwards[32:]))
    zero = m.same(0, 4)
    zero.contents = []
    made.append(m.bad('same-as a zero page, digest 0', 'CODEC_DIGEST', '', 0, (9, zero)))
    return made


def crowd_vectors():
    """More pages than 4,194,304 / page size + regions, though their payload is small."""
    m = Memory(regions=[{'id': 0, 'byteLength': 2100 * 4096}])
    m.slots[0] = bytes(m.page(0, 0))
    note = '1025 at the most'
    references = Run(REFERENCE, 1026, (bytes(4) + m.check(m.slots[0])) * 1026, [m.slots[0]] * 1026)
    deltas = m.delta(0, 0, [m.page(0, 0)] * 1026)
    similar = m.similar(*[(0, 0, m.page(0, 0))] * 1026)
    filled = Memory(regions=m.regions).send(0, (0, Memory.keep(0)))
    return [
        m.bad('same-as, 1026 pages', BATCH, note, 0, (0, m.same(0, 1030, 1026))),
        filled.bad('reference, 1026 pages', BATCH, note, 0, (0, references)),
        m.bad('delta, 1026 pages', BATCH, note, 0, (0, deltas)),
        m.bad('similar, 1026 pages', BATCH, note, 0, (0, similar)),
        m.bad('same-as, 513 pages twice', BATCH, note, 0, (0, m.same(0, 1030, 513)),
              (600, m.same(0, 1030, 513))),
        m.bad('keep of 65535 pages', RANGE, 'the region has 2100', 0,
              (0, Run(KEEP, 65535, bytes(4) * 65535))),
    ]


def bad_vectors(start):
    made = negotiated_vectors(start) + length_vectors(start) + named_vectors(start)
    return made + delta_vectors(start) + digest_vectors(start) + crowd_vectors()
