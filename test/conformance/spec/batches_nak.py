"""Batches that name content which is not there: nothing of them is installed."""

from .frame import REFERENCE, Run
from .memory import Memory, SEED
from .hashes import batch_digest
from .payloads import LZ4, ZSTD, lz4_literals, zstd

A, B = b'\x11' * 4096, b'\x22' * 4096
SHORT = b'\x33' * 100


def guessed(m, slot, content):
    """A reference by a source that thinks that the slot holds this."""
    return Run(REFERENCE, 1, slot.to_bytes(4, 'little') + m.check(content), [content])


def check_vectors(start):
    m = start().send(0, (0, Memory.keep(0, 1, 2)))
    changed = A[:-1] + b'\x00'
    note = 'a check does not match'
    return [
        m.nak('NAK: same-as', note, 0, (9, m.same(0, 2, 1, wrong=[0]))),
        m.nak('NAK: same-as, the last of a run', note, 0, (9, m.same(0, 0, 4, wrong=[3]))),
        m.nak('NAK: same-as of another region', note, 3, (0, m.same(0, 0, 2, wrong=[1]))),
        m.nak('NAK: reference', note, 0, (9, m.reference(1, wrong=[0]))),
        m.nak('NAK: reference, the second', note, 0, (9, m.reference(0, 1, 2, wrong=[1]))),
        m.nak('NAK: delta', note, 0, (0, m.delta(0, 0, [changed], wrong=[0]))),
        m.nak('NAK: delta of length 0', note, 0, (0, m.delta(0, 0, [A], wrong=[0]))),
        m.nak('NAK: delta, the second', note, 0, (0, m.delta(0, 0, [changed, B], wrong=[1]))),
        m.nak('NAK: similar', note, 0, (9, m.similar((0, 0, changed), wrong=[0]))),
        m.nak('NAK: similar, the second', note, 0,
              (9, m.similar((0, 0, changed), (0, 1, B), wrong=[1]))),
        m.nak('NAK: another digest, too', 'it cannot be known', 0,
              (9, m.same(0, 2, 1, wrong=[0])), digest=b'\x01' * 8),
        m.nak('NAK: no slot, another digest, too', '', 0, (9, guessed(m, 5, A)),
              digest=bytes(8)),
    ]


def whole_vectors(start):
    """Every run that gives content is named, one pair each, in table order."""
    m = start().send(0, (0, Memory.keep(0)))
    late = m.same(0, 1, 2, wrong=[0])
    others = [
        (12, [A, B]), (3, 1), (1, Memory.keep(3, 4)), (14, m.reference(0)),
        (4, m.delta(0, 4, [bytes(99) + A[:100] + bytes(3897)])),
        (5, m.similar((0, 0, B[:7] + A[7:]))), (6, 2), (8, [A]),
    ]
    good = others + [(10, m.same(0, 1, 2))]
    at = batch_digest(m.hash_name, SEED, [one for _, what in good for one in pages_of(what)])
    note = 'every run but keep, adjacent ones apart'
    return [
        m.nak('NAK: the last run', note, 0, *others, (10, late), digest=at),
        m.nak('NAK: the first run', note, 0, (10, late), *others),
        m.nak('NAK: in a transposed batch', note, 0, *others, (10, late), stride=4),
        m.nak('NAK: in an LZ4 batch', note, 0, *others, (10, late), compression=LZ4,
              pack=lz4_literals),
        m.nak('NAK: in a zstd batch', note, 0, *others, (10, late), compression=ZSTD,
              pack=zstd()),
    ]


def pages_of(what):
    if isinstance(what, int):
        return []
    return what if isinstance(what, list) else what.contents


def slot_vectors(start):
    m = start()
    short = Memory().send(7, (1, [SHORT])).send(7, (1, Memory.keep(0))).send(7, (0, [A]))
    full = Memory().send(7, (0, [A]), (1, [SHORT])).send(7, (0, Memory.keep(0)))
    kept = Memory.keep(1)
    return [
        m.nak('NAK: a slot never filled', '', 0, (9, guessed(m, 0, A))),
        m.nak('NAK: a slot that this batch fills', 'it was empty before', 0, (0, kept),
              (9, guessed(m, 1, A))),
        short.nak('NAK: a short page in the slot', 'another length', 0, (9, short.reference(0))),
        full.nak('NAK: a whole page in the slot', 'another length', 3, (3, full.reference(0))),
    ]


def lost_vectors(start):
    """What a batch that was answered with NAK leaves behind: nothing."""
    m = start().send(0, (0, Memory.keep(0)), (0, [B]))
    wrong = m.same(0, 2, 1, wrong=[0])
    lost = m.lose(0, (1, Memory.keep(0)), (2, Memory.keep(1)), (8, [A]), (9, wrong))
    after = 'after a batch that was answered with NAK'
    repaired = start()
    repaired.lose(0, (8, [A]), (9, repaired.same(0, 2, 1, wrong=[0])))
    repaired.send(0, (8, [A]), (9, [B]))
    return [
        lost.nak('NAK: a slot of its keep', after, 0, (9, guessed(lost, 1, A))),
        lost.nak('NAK: another slot of its keep', after, 0, (9, guessed(lost, 0, B))),
        lost.good('a slot that its keep did not change', after, 0, (9, lost.reference(0))),
        lost.nak('NAK: same-as a page of it', after, 0, (10, pretended(lost, 8, A))),
        lost.good('same-as what its page still holds', after, 0, (10, lost.same(0, 8))),
        lost.good('raw', after, 0, (8, [A])),
        repaired.good('same-as a repaired page', after, 0, (10, repaired.same(0, 8, 2))),
    ]


def pretended(m, first, content):
    """A same-as by a source that thinks that the page holds this."""
    run = m.same(0, first)
    run.payload = run.payload[:8] + m.check(content)
    run.contents = [content]
    return run


def nak_vectors(start):
    return check_vectors(start) + whole_vectors(start) + slot_vectors(start) + lost_vectors(start)
