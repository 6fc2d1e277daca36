"""What a receiver holds, in plain Python, and batches that are made from it.

Runs are made first, from what memory and store hold then; sending comes after. That is the order of
section 5: nothing in a batch sees what else is in it.
"""

import copy
import hashlib
import struct

from .frame import DELTA, KEEP, REFERENCE, SAME_AS, SIMILAR, ZERO, Run, batch, run_of
from .hashes import fingerprint
from .output import octets, vector
from .payloads import delta, transpose

FILL = 0xEE
SEED = bytes.fromhex('0123456789abcdef')
ALL = ['references', 'delta', 'zstd', 'lz4']
REGIONS = [
    {'id': 3, 'byteLength': 3 * 4096 + 100},
    {'id': 0, 'byteLength': 16 * 4096},
    {'id': 7, 'byteLength': 4096 + 100},
    {'id': 65535, 'byteLength': 1},
]


class Memory:
    def __init__(self, hash_name='xxh64', regions=None, page_bytes=4096, store_bytes=8 * 4096,
                 capabilities=None, round_number=2):
        self.regions = REGIONS if regions is None else regions
        self.hash_name, self.page_bytes = hash_name, page_bytes
        self.store_bytes, self.round = store_bytes, round_number
        self.capabilities = ALL if capabilities is None else capabilities
        self.bytes = {one['id']: bytearray([FILL]) * one['byteLength'] for one in self.regions}
        self.slots, self.before = {}, []

    def page(self, region, index):
        assert index * self.page_bytes < len(self.bytes[region])
        return bytes(self.bytes[region][index * self.page_bytes :][: self.page_bytes])

    def check(self, content):
        return fingerprint(self.hash_name, SEED, content)[:4]

    # Runs of each encoding. `wrong` are indexes of pages whose check is damaged.

    def checks(self, contents, wrong):
        made = [self.check(one) for one in contents]
        return [bytes([one[0] ^ (at in wrong)]) + one[1:] for at, one in enumerate(made)]

    def same(self, region, first, count=1, wrong=()):
        contents = [self.page(region, first + at) for at in range(count)]
        start = struct.pack('<HHI', region, 0, first)
        payload = start + b''.join(self.checks(contents, wrong))
        return Run(SAME_AS, count, payload, contents)

    def reference(self, *slots, wrong=()):
        contents = [self.slots[slot] for slot in slots]
        pairs = zip(slots, self.checks(contents, wrong))
        payload = b''.join(struct.pack('<I', slot) + check for slot, check in pairs)
        return Run(REFERENCE, len(slots), payload, contents)

    def delta(self, region, first, contents, wrong=(), deltas=None):
        bases = [self.page(region, first + at) for at in range(len(contents))]
        made = deltas or [delta(base, page) for base, page in zip(bases, contents)]
        payload = b''
        for check, one in zip(self.checks(bases, wrong), made):
            payload += check + struct.pack('<H', len(one)) + one
        return Run(DELTA, len(contents), payload, contents)

    def similar(self, *pages, wrong=(), deltas=None):
        """`pages`: (region, page, content)."""
        bases = [self.page(region, page) for region, page, _ in pages]
        payload = b''
        for at, (region, page, content) in enumerate(pages):
            one = deltas[at] if deltas else delta(bases[at], content)
            check = self.checks(bases, wrong)[at]
            payload += struct.pack('<HHI', region, len(one), page) + check + one
        return Run(SIMILAR, len(pages), payload, [content for _, _, content in pages])

    @staticmethod
    def keep(*slots):
        return Run(KEEP, len(slots), struct.pack(f'<{len(slots)}I', *slots))

    # Batches.

    def make(self, region, runs, stride=0, **changes):
        if stride:
            pack = changes.pop('pack', bytes)
            changes['stride'] = stride
            changes['pack'] = lambda data: pack(transpose(data, stride))
        changes = {'round': self.round, **changes}
        return batch(runs, self.hash_name, SEED, region=region, **changes)

    def install(self, region, runs):
        old = copy.deepcopy(self)
        for first, what in runs:
            run = run_of(what)
            if run.encoding == KEEP:
                slots = struct.unpack(f'<{run.count}I', run.payload)
                for at, slot in enumerate(slots):
                    self.slots[slot] = old.page(region, first + at)
        for first, what in runs:
            run, target = run_of(what), self.bytes[region]
            contents = run.contents
            if run.encoding == ZERO:
                contents = [bytes(len(self.page(region, first + at))) for at in range(run.count)]
            for at, content in enumerate(contents):
                assert len(content) == len(self.page(region, first + at))
                start = (first + at) * self.page_bytes
                target[start : start + len(content)] = content

    def send(self, region, *runs, **changes):
        """A batch that comes before the vector's."""
        self.before.append(self.make(region, list(runs), **changes))
        self.install(region, list(runs))
        return self

    def lose(self, region, *runs, **changes):
        """The same, but it is answered with NAK."""
        self.before.append(self.make(region, list(runs), **changes))
        return self

    # Vectors.

    def around(self):
        before = {'before': [octets(one) for one in self.before]} if self.before else {}
        return {
            'pageBytes': self.page_bytes, 'hash': self.hash_name, 'fingerprintSeed': SEED.hex(),
            'round': self.round, 'fill': FILL, 'regions': self.regions,
            'capabilities': self.capabilities, 'storeBytes': self.store_bytes, **before,
        }

    def sums(self):
        return {str(key): hashlib.sha256(value).hexdigest() for key, value in self.bytes.items()}

    def good(self, name, note, region, *runs, **changes):
        runs, after = list(runs), copy.deepcopy(self)
        data = self.make(region, runs, **changes)
        after.install(region, runs)
        kinds = {
            'samePages': [SAME_AS], 'referencePages': [REFERENCE],
            'deltaPages': [DELTA, SIMILAR],
        }
        counted = [run_of(what) for _, what in runs]
        expect = {'rawPages': sum(run.count for run in counted if run.encoding == 1),
                  'zeroPages': sum(run.count for run in counted if run.encoding == ZERO)}
        for kind, encodings in kinds.items():
            pages = sum(run.count for run in counted if run.encoding in encodings)
            expect.update({kind: pages} if pages else {})
        expect['sha256'] = after.sums()
        return vector(name, note, data, **self.around(), expect=expect)

    def nak(self, name, note, region, *runs, **changes):
        made = [(first, run_of(what)) for first, what in runs]
        named = [[first, run.count] for first, run in made if run.encoding != KEEP]
        expect = {'nak': named, 'sha256': self.sums()}
        data = self.make(region, list(runs), **changes)
        return vector(name, note, data, **self.around(), expect=expect)

    def bad(self, name, error, note, region, *runs, **changes):
        return self.raw(name, error, note, self.make(region, list(runs), **changes))

    def raw(self, name, error, note, data):
        return vector(name, note, data, **self.around(), error=error)
