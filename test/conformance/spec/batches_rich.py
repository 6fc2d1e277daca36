"""batches-rich.json: batches whose pages are made from what the receiver holds, section 5."""

from .batches_nak import nak_vectors
from .batches_rich_bad import bad_vectors
from .memory import FILL, Memory
from .payloads import pair


def page(byte, size=4096):
    return bytes([byte]) * size


A, B = page(0x11), page(0x22)
C = bytes(range(1, 60)) + page(0x44, 4096 - 59)
D = page(0x55, 2000) + bytes(range(200, 140, -1)) + page(0x55, 4096 - 2060)
SHORT, SHORTER = page(0x33, 100), bytes(range(100, 200))
OLD = page(FILL)


def edited(content, *places):
    made = bytearray(content)
    for at in places:
        made[at] ^= 0xFF
    return bytes(made)


def start(**how):
    """Pages of region 0: A, B, C, D, zero, then what was there."""
    return Memory(**how).send(0, (0, [A, B, C, D]), (4, 1))


def same_vectors():
    m = start()
    short = Memory().send(7, (0, [A, SHORT]))
    return [
        m.good('same-as a page', '', 0, (9, m.same(0, 2))),
        m.good('same-as a run', '', 0, (8, m.same(0, 0, 4))),
        m.good('same-as of another region', '', 3, (1, m.same(0, 2, 2))),
        m.good('same-as a zero page', 'the digest has it', 0, (9, m.same(0, 4))),
        m.good('same-as a page never sent', '', 0, (1, m.same(0, 12))),
        m.good('same-as a run that overlaps', 'what was there before', 0, (1, m.same(0, 0, 4))),
        m.good('same-as itself', '', 0, (0, m.same(0, 0, 3))),
        m.good('same-as by turns', 'two pages change places', 0, (0, m.same(0, 2)),
               (2, m.same(0, 0))),
        m.good('same-as a page that is given more', 'its old content', 0, (0, [B]),
               (9, m.same(0, 0)), (1, 1)),
        m.good('same-as a page given later', 'its old content', 0, (9, m.same(0, 0)), (0, [D])),
        short.good('same-as, short pages', 'equal lengths', 3, (3, short.same(7, 1))),
        short.good('same-as, a run to the short page', '', 7, (0, short.same(7, 0, 2))),
    ]


def store_vectors():
    m = start().send(0, (0, Memory.keep(0, 1, 7)), (2, [A]))
    lasting = start().send(0, (2, Memory.keep(3))).send(0, (2, [A])).send(0, (2, [B]), (3, 1))
    again = start().send(0, (0, Memory.keep(5))).send(0, (1, Memory.keep(5)))
    double = start().send(0, (0, Memory.keep(5)), (2, Memory.keep(5)))
    run = start().send(0, (0, Memory.keep(2, 2, 2)))
    short = Memory().send(7, (1, [SHORT])).send(7, (1, Memory.keep(0)), (1, 1))
    return [
        m.good('keep only', 'digest 0, no pages', 0, (0, Memory.keep(4, 3))),
        m.good('reference', 'what the page held before', 0, (9, m.reference(7))),
        m.good('a run of references', '', 0, (9, m.reference(1, 0, 7, 0))),
        m.good('reference from another region', '', 3, (0, m.reference(7))),
        lasting.good('reference, two rounds later', '', 0, (2, lasting.reference(3))),
        again.good('a slot given anew', 'the later batch', 0, (9, again.reference(5))),
        double.good('a slot given twice in a batch', 'the later entry', 0,
                    (9, double.reference(5))),
        run.good('a slot given three times in a run', 'the last page', 0, (9, run.reference(2))),
        m.good('reference to a slot that is given', 'its old content', 0, (2, Memory.keep(7)),
               (2, m.reference(7))),
        m.good('keep behind its page', 'what it held before', 0, (0, [D]), (0, Memory.keep(0)),
               (9, m.reference(0))),
        short.good('reference, a short page', '', 3, (3, short.reference(0))),
    ]


def keep_vectors():
    """Whether keep took the right thing is seen by a reference afterwards."""
    behind = start().send(0, (2, [A]), (2, Memory.keep(0)))
    zero = start().send(0, (4, Memory.keep(0)), (4, [B]))
    fresh = start().send(0, (9, Memory.keep(0)), (9, [B]))
    same = start()
    same.send(0, (2, same.same(0, 3)), (2, Memory.keep(0)))
    return [
        behind.good('kept behind its page', '', 0, (8, behind.reference(0))),
        zero.good('kept, a zero page', '', 0, (8, zero.reference(0))),
        fresh.good('kept, a page never sent', '', 0, (8, fresh.reference(0))),
        same.good('kept beside same-as', '', 0, (8, same.reference(0))),
    ]


def delta_vectors():
    m = start()
    zero = start().send(0, (4, [edited(bytes(4096), 8, 9)]))
    short = Memory().send(7, (1, [SHORTER]))
    many = [edited(C, *range(0, 4096, 64)), edited(D, 1, 2, 3), OLD]
    large = Memory(regions=[{'id': 0, 'byteLength': 3 * 65536}], page_bytes=65536)
    far = edited(OLD[:1] * 65536, 16383, 40000, 65535)
    split = pair(0, B[:100]) + pair(1, B[:10])
    spread = B[:100] + A[:1] + B[:10] + A[111:]
    same_bytes = pair(7, C[7:20]) + pair(2, C[22:25])
    return [
        m.good('delta of length 0', 'the page stays', 0, (0, m.delta(0, 0, [A]))),
        m.good('delta, first byte', '', 0, (2, m.delta(0, 2, [edited(C, 0)]))),
        m.good('delta, last byte', '', 0, (2, m.delta(0, 2, [edited(C, 4095)]))),
        m.good('delta, first and last', '', 0, (2, m.delta(0, 2, [edited(C, 0, 4095)]))),
        m.good('delta, a length of two bytes', '', 0, (2, m.delta(0, 2, [edited(C, 128, 300)]))),
        m.good('delta as long as a page', 'the longest', 0,
               (0, m.delta(0, 0, [B[:4093] + A[4093:]]))),
        m.good('delta, two pairs', '', 0, (0, m.delta(0, 0, [spread], deltas=[split]))),
        m.good('delta that changes nothing', 'legal', 0,
               (2, m.delta(0, 2, [C], deltas=[same_bytes]))),
        m.good('delta of a zero page', '', 0, (4, m.delta(0, 4, [edited(bytes(4096), 9)]))),
        m.good('delta of a page never sent', '', 0, (12, m.delta(0, 12, [edited(OLD, 9)]))),
        zero.good('delta, to zero bytes', 'the digest has it', 0,
                  (4, zero.delta(0, 4, [bytes(4096)]))),
        m.good('a run of deltas', '', 0, (2, m.delta(0, 2, many[:2])),
               (5, m.delta(0, 5, many[2:]))),
        short.good('delta of a short page', '', 7, (1, short.delta(7, 1, [edited(SHORTER, 99)]))),
        large.good('delta, a length of three bytes', '', 0, (1, large.delta(0, 1, [far]))),
        m.good('similar, to a page of the region', '', 0, (8, m.similar((0, 2, edited(C, 5))))),
        m.good('similar, to another region', '', 3, (0, m.similar((0, 2, edited(C, 5, 9))))),
        m.good('similar of length 0', 'the same', 0, (8, m.similar((0, 3, D)))),
        m.good('similar, to itself', '', 0, (2, m.similar((0, 2, edited(C, 5))))),
        m.good('a run of similar', 'a base each', 0,
               (7, m.similar((0, 2, edited(C, 1)), (3, 0, edited(OLD, 8)),
                             (0, 4, edited(bytes(4096), 7))))),
        m.good('similar to a page that is given', 'its old content', 0, (2, [A]),
               (8, m.similar((0, 2, edited(C, 5))))),
        m.good('delta by turns', 'each from what was', 0, (0, m.similar((0, 1, edited(B, 0)))),
               (1, m.similar((0, 0, edited(A, 0))))),
        short.good('similar, short pages', '', 3, (3, short.similar((7, 1, edited(SHORTER, 0))))),
    ]


def mixed_vectors():
    made = []
    for hash_name in ('xxh3', 'xxh64', 'sha256'):
        m = start(hash_name=hash_name).send(0, (2, Memory.keep(1)), (2, [A]))
        runs = [
            (9, [B]), (0, Memory.keep(6, 5)), (10, 2), (2, m.reference(1)), (0, m.same(0, 3, 2)),
            (12, m.delta(0, 12, [edited(OLD, 3), edited(OLD, 4)])), (4, [C, D]),
            (3, m.similar((0, 2, edited(A, 77)))),
        ]
        made.append(m.good(f'every encoding, {hash_name}', '', 0, *runs))
        back = runs[::-1]
        made.append(m.good(f'every encoding backwards, {hash_name}', '', 0, *back))
    return made


def bound_vectors():
    wide = Memory(regions=[{'id': 0, 'byteLength': 2100 * 4096}])
    odd = Memory(store_bytes=3 * 4096 + 4095).send(0, (0, [A])).send(0, (0, Memory.keep(2)))
    last = start().send(0, (0, Memory.keep(7)))
    none = start(store_bytes=0)
    references = start(capabilities=['references'])
    deltas = start(capabilities=['delta'])
    return [
        wide.good('same-as, 1024 pages', '4 MiB of pages', 0, (0, wide.same(0, 1024, 1024))),
        odd.good('a store that is no multiple of the page', '3 slots', 0, (1, odd.reference(2))),
        last.good('the last slot', '', 0, (9, last.reference(7))),
        none.good('same-as without a store', '', 0, (9, none.same(0, 2))),
        references.good('references only', '', 0, (9, references.same(0, 2)), (1, Memory.keep(0))),
        deltas.good('delta only', '', 0, (2, deltas.delta(0, 2, [edited(C, 5)])),
                    (9, deltas.similar((0, 2, edited(C, 6))))),
    ]


def vectors():
    made = same_vectors() + store_vectors() + keep_vectors() + delta_vectors()
    made += mixed_vectors() + bound_vectors()
    return made + nak_vectors(start) + bad_vectors(start)
