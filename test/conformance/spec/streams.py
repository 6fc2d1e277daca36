"""streams.json: the conversations of section 10, one vector for each channel and direction."""

import struct
import zlib

from .frame import CONTROL, DATA, REVERSE, ROLES, SAME_AS, URGENT, Run, batch, frame, preface
from .hashes import batch_digest, fingerprint
from .messages import FAULTS, PLAIN
from .msgpack import pack, plain
from .output import vector

SEED = PLAIN['HELLO']['fingerprintSeed']


class Stream:
    """The bytes of one direction of one channel, and what they mean."""

    def __init__(self, name, side, role=CONTROL, index=0, epoch=0):
        self.name, self.side, self.role, self.index = name, side, role, index
        self.epoch, self.data, self.meaning = epoch, preface(role, index, epoch=epoch), []

    def send(self, type_name, body=None, /, **message):
        shown = {'type': type_name}
        if body is None:
            content = {**PLAIN[type_name], **message}
            shown['message'], body = plain(content), pack(content)
        self.data += frame(type_name, body, len(self.meaning))
        self.meaning.append(shown)
        return self

    def vector(self, note):
        channel = next(name for name, role in ROLES.items() if role == self.role)
        name = f'{self.name}: {channel} {self.index}, {self.side}'
        expect = {'index': self.index, 'epoch': self.epoch, 'frames': self.meaning}
        fields = {'channel': channel, 'from': self.side, 'expect': expect}
        return vector(name, note, self.data, **fields)


def smallest():
    name = 'the smallest'
    source, back = Stream(name, 'source'), Stream(name, 'destination')
    data, answer = Stream(name, 'source', DATA), Stream(name, 'destination', DATA)
    source.send('HELLO').send('RESERVE').send('SWITCH_OVER').send('ROUND_BEGIN')
    source.send('ROUND_END').send('STATE').send('COMMIT').send('END')
    back.send('WELCOME').send('RESERVED').send('SWITCH_OVER_ACK').send('ROUND_ACK')
    back.send('READY').send('RUNNING', resumeMs=1.5).send('END_ACK')
    data.send('PAGES', batch([(0, 1)])).send('BARRIER')
    return [stream.vector('section 10') for stream in (source, back, data, answer)]


def refusal():
    source, back = Stream('a refusal', 'source'), Stream('a refusal', 'destination')
    regions = [{'id': at, 'name': f'ram-{at}', 'byteLength': 1 << 32} for at in range(16)]
    source.send('HELLO').send('RESERVE', regions=regions)
    lacking = '64 GiB asked, 22 GiB free: 42 GiB are lacking'
    back.send('WELCOME').send('ERROR', code=97, text=lacking)
    return [stream.vector('section 10') for stream in (source, back)]


def cancel():
    name = 'a cancel'
    source, data = Stream(name, 'source'), Stream(name, 'source', DATA)
    page = b'\x42' * 4096
    total = batch_digest('xxh64', SEED, [page])
    source.send('HELLO', mode='pre-copy').send('RESERVE')
    source.send('ROUND_BEGIN', kind='full').send('ROUND_END', digest=total)
    source.send('ROUND_BEGIN', round=2, kind='dirty').send('ERROR')
    data.send('PAGES', batch([(0, [page])], 'xxh64', SEED)).send('BARRIER', digest=total)
    data.send('PAGES', batch([(0, [page])], 'xxh64', SEED, round=2))
    return [stream.vector('section 10') for stream in (source, data)]


def missing():
    """A batch names a page that the destination does not hold like that."""
    name = 'a NAK'
    source, back = Stream(name, 'source'), Stream(name, 'destination')
    data, answer = Stream(name, 'source', DATA), Stream(name, 'destination', DATA)
    pages = [b'\x42' * 4096, b'\x43' * 4096]
    first, second = batch_digest('xxh64', SEED, pages), batch_digest('xxh64', SEED, pages[:1])
    check = fingerprint('xxh64', SEED, pages[0])[:4]
    same = Run(SAME_AS, 1, struct.pack('<HHI', 0, 0, 0) + check, pages[:1])
    repair = batch([(1, [pages[1]])], 'xxh64', SEED, round=2)
    source.send('HELLO', mode='pre-copy', optional=['references'])
    source.send('RESERVE', regions=[{'id': 0, 'name': 'ram', 'byteLength': 8192}])
    source.send('ROUND_BEGIN', kind='full', pages=2).send('ROUND_END', pages=2, digest=first)
    source.send('ROUND_BEGIN', round=2, kind='dirty').send('ROUND_END', round=2, digest=second)
    back.send('WELCOME', capabilities=['references'], storeBytes=1048576).send('RESERVED')
    back.send('ROUND_ACK').send('ROUND_ACK', round=2)
    data.send('PAGES', batch([(0, pages)], 'xxh64', SEED)).send('BARRIER', pages=2, digest=first)
    data.send('PAGES', batch([(1, same)], 'xxh64', SEED, round=2))
    data.send('BARRIER', round=2, digest=second).send('PAGES', repair)
    answer.send('NAK', round=2, runs=struct.pack('<II', 1, 1))
    return [stream.vector('section 10') for stream in (source, back, data, answer)]


def post_copy():
    """The guest runs before its two pages are there, and asks for the second."""
    name = 'post-copy'
    source, back = Stream(name, 'source'), Stream(name, 'destination')
    data, answer = Stream(name, 'source', DATA), Stream(name, 'destination', DATA)
    urgent, asked = Stream(name, 'source', URGENT), Stream(name, 'destination', URGENT)
    pages = [b'\x42' * 4096, b'\x43' * 4096]
    sums = [batch_digest('xxh64', SEED, [page]) for page in pages]
    total = sum(int.from_bytes(item, 'little') for item in sums) % (1 << 64)
    total = total.to_bytes(8, 'little')
    source.send('HELLO', mode='post-copy', required=['post-copy'])
    source.send('RESERVE', regions=[{'id': 0, 'name': 'ram', 'byteLength': 8192}])
    source.send('SWITCH_OVER', postCopy=True).send('DISCARD').send('STATE').send('COMMIT')
    source.send('ROUND_BEGIN', kind='post-copy', pages=2)
    source.send('ROUND_END', batches=2, pages=2, digest=total).send('END', pages=2)
    back.send('WELCOME', capabilities=['post-copy']).send('RESERVED', reservedBytes=8192)
    back.send('SWITCH_OVER_ACK').send('READY').send('RUNNING', resumeMs=0.5).send('ROUND_ACK')
    back.send('END_ACK', faults={**FAULTS, 'count': 1})
    asked.send('PAGE_REQUEST')
    for stream, at in ((data, 0), (urgent, 1)):
        stream.send('PAGES', batch([(at, [pages[at]])], 'xxh64', SEED))
        stream.send('BARRIER', digest=sums[at])
    streams = (source, back, data, answer, urgent, asked)
    return [stream.vector('section 10') for stream in streams]


def recovery():
    """The network was lost when one page of three was there: what follows with epoch 1."""
    name = 'a recovery'

    def stream(side, role=CONTROL):
        return Stream(name, side, role, epoch=1)

    source, back = stream('source'), stream('destination')
    data, answer = stream('source', DATA), stream('destination', DATA)
    urgent, asked = stream('source', URGENT), stream('destination', URGENT)
    pages = [b'\x42' * 4096, b'\x44' * 4096]
    frames = [(0, struct.pack('<II', 0, 1)), (258, struct.pack('<II', 2, 1))]
    named = b''.join(struct.pack('<H', region) + runs for region, runs in frames)
    sums = [batch_digest('xxh64', SEED, [page]) for page in pages]
    total = sum(int.from_bytes(item, 'little') for item in sums) % (1 << 64)
    total = total.to_bytes(8, 'little')
    for region, runs in frames:
        back.send('LACKING', region=region, runs=runs)
    back.send('RESUMED', round=2, pages=2, checksum=zlib.crc32(named))
    back.send('ROUND_ACK', round=2).send('END_ACK', faults={**FAULTS, 'count': 1})
    source.send('RESUME').send('ROUND_BEGIN', round=2, kind='post-copy', pages=2)
    source.send('ROUND_END', round=2, batches=2, pages=2, digest=total).send('END', rounds=2, pages=3)
    data.send('PAGES', batch([(0, pages[:1])], 'xxh64', SEED, round=2))
    data.send('BARRIER', round=2, digest=sums[0])
    asked.send('PAGE_REQUEST', region=258, page=2)
    urgent.send('PAGES', batch([(2, pages[1:])], 'xxh64', SEED, round=2, region=258))
    urgent.send('BARRIER', round=2, digest=sums[1])
    streams = (source, back, data, answer, urgent, asked)
    return [stream.vector('section 10') for stream in streams]


def checkpoint():
    """What comes back by the reverse channel: one page of two, then nothing but registers."""
    name = 'checkpoints'
    source, back = Stream(name, 'source', REVERSE), Stream(name, 'destination', REVERSE)
    page = b'\x45' * 4096
    digest = batch_digest('xxh64', SEED, [page])
    back.send('CHECKPOINT_BEGIN').send('PAGES', batch([(1, [page])], 'xxh64', SEED))
    back.send('CHECKPOINT_END', digest=digest, package=b'\x01')
    back.send('CHECKPOINT_BEGIN', number=2)
    back.send('CHECKPOINT_END', number=2, batches=0, pages=0, package=b'\x02')
    source.send('CHECKPOINT_ACK').send('CHECKPOINT_ACK', number=2)
    return [stream.vector('section 10') for stream in (source, back)]


def complete():
    """Pre-copy over two channels, sha256, verification, FINAL."""
    name = 'complete'
    source, back = Stream(name, 'source'), Stream(name, 'destination')
    first, second = Stream(name, 'source', DATA), Stream(name, 'source', DATA, 1)
    pages = [b'\x01' * 4096, b'\x02' * 4096]
    sums = [batch_digest('sha256', SEED, [page]) for page in pages]
    both = sum(int.from_bytes(item, 'little') for item in sums) % (1 << 64)
    total = both.to_bytes(8, 'little')
    for stream, at in ((first, 0), (second, 1)):
        stream.send('PAGES', batch([(at, [pages[at]])], 'sha256', SEED))
        stream.send('BARRIER', digest=sums[at]).send('BARRIER', round=2, batches=0, pages=0)
    source.send('HELLO', mode='pre-copy', hash='sha256', verify='sha256', dataChannels=2,
                optional=['final'], software='Uferschnepfe 1')
    source.send('RESERVE', regions=[{'id': 7, 'name': 'ram', 'byteLength': 8192}])
    source.send('ROUND_BEGIN', kind='full', pages=2)
    source.send('ROUND_END', batches=2, pages=2, digest=total).send('SWITCH_OVER', round=1)
    source.send('ROUND_BEGIN', round=2, pages=0).send('ROUND_END', round=2, batches=0, pages=0)
    source.send('HEARTBEAT').send('STATE').send('COMMIT')
    whole = bytes(range(32))
    source.send('VERIFY', digest=whole, regions=[{'id': 7, 'digest': whole}])
    source.send('END', rounds=2, pages=2, usage={'cpuSeconds': 0.5})
    back.send('WELCOME', dataChannels=2, capabilities=['final'], finalAfterMs=100)
    back.send('RESERVED', reservedBytes=8192).send('ROUND_ACK').send('SWITCH_OVER_ACK')
    back.send('ROUND_ACK', round=2).send('READY').send('HEARTBEAT').send('RUNNING')
    back.send('VERIFIED', digest=whole)
    back.send('FINAL', steps=12345, registers=bytes(16), digest=whole).send('END_ACK')
    streams = (source, back, first, second)
    return [stream.vector('every frame') for stream in streams]


def vectors():
    made = smallest() + refusal() + cancel() + missing()
    return made + post_copy() + recovery() + checkpoint() + complete()
