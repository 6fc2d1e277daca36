"""The table of section 4: keys, kinds, and one plain message of every type."""

BIN8 = bytes(range(1, 9))
BIN32 = bytes(range(32))

# key: (kind, required)
ROUND_SUMS = {
    'round': ('round', True), 'batches': ('count', True),
    'pages': ('count', True), 'digest': ('bin8', True),
}
KEYS = {
    'HELLO': {
        'versionMin': ('u16', True), 'versionMax': ('u16', True), 'software': ('text', True),
        'required': ('names', True), 'optional': ('names', True),
        'pageBytes': ('pageSizes', True), 'mode': ('mode', True), 'hash': ('hash', True),
        'verify': ('verify', True), 'fingerprintSeed': ('bin8', True),
        'verifySeed': ('bin8', True), 'dataChannels': ('channels', True),
        'heartbeatMs': ('heartbeat', True), 'checkpointMs': ('interval', False),
    },
    'WELCOME': {
        'version': ('u16', True), 'software': ('text', True), 'capabilities': ('list', True),
        'pageBytes': ('u32', True), 'dataChannels': ('channels', True),
        'heartbeatMs': ('heartbeat', True), 'creditBytes': ('window', False),
        'storeBytes': ('store', False), 'finalAfterMs': ('u32', False),
        'staticNonce': ('bin16', False),
    },
    'ERROR': {'code': ('u16', True), 'text': ('text', True), 'phase': ('name', False)},
    'HEARTBEAT': {},
    'RESERVE': {'guest': ('map', True), 'regions': ('regions', True), 'static': ('list', False)},
    'RESERVED': {'reservedBytes': ('count', True)},
    # One of `held` and `hashes`: the latter is in control_static.
    'STATIC_HELD': {'set': ('set', True), 'first': ('entry', True), 'held': ('bits', True)},
    'ROUND_BEGIN': {
        'round': ('round', True), 'kind': ('kind', True), 'pages': ('count', True),
        'open': ('bool', False),
    },
    'BARRIER': ROUND_SUMS,
    'ROUND_END': {**ROUND_SUMS, 'held': ('count', False)},
    'ROUND_ACK': {'round': ('round', True)},
    'CREDIT': {'bytes': ('count', True)},
    'NAK': {'round': ('round', True), 'region': ('u16', True), 'runs': ('runs', True)},
    'DISCARD': {'region': ('u16', True), 'runs': ('runs', True)},
    'RESUME': {'epoch': ('laterEpoch', True), 'round': ('round', True)},
    'LACKING': {'region': ('u16', True), 'runs': ('runs', True)},
    'RESUMED': {
        'epoch': ('laterEpoch', True), 'round': ('round', True), 'pages': ('count', True),
        'checksum': ('u32', True),
    },
    'SWITCH_OVER': {'round': ('u32', True), 'postCopy': ('bool', False)},
    'SWITCH_OVER_ACK': {},
    'STATE': {'package': ('bin', True)},
    'READY': {'epoch': ('epoch', True)},
    'COMMIT': {'epoch': ('epoch', True)},
    'RUNNING': {'epoch': ('epoch', True), 'resumeMs': ('amount', True)},
    'OWNER_QUERY': {'epoch': ('epoch', True)},
    'OWNER': {'epoch': ('epoch', True), 'owner': ('owner', True)},
    'VERIFY': {'digest': ('digest', True), 'regions': ('list', True)},
    'VERIFIED': {
        'equal': ('bool', True), 'digest': ('digest', True), 'differing': ('differing', True),
    },
    'FINAL': {'steps': ('count', True), 'registers': ('bin', True), 'digest': ('digest', True)},
    'END': {
        'rounds': ('u32', True), 'pages': ('count', True), 'usage': ('map', True),
        'images': ('list', False),
    },
    'END_ACK': {'usage': ('map', True), 'faults': ('map', False)},
    'PAGE_REQUEST': {'region': ('u16', True), 'page': ('u32', True)},
    'CHECKPOINT_BEGIN': {'number': ('laterEpoch', True)},
    'CHECKPOINT_END': {
        'number': ('laterEpoch', True), 'batches': ('count', True), 'pages': ('count', True),
        'digest': ('bin8', True), 'pauseMs': ('amount', True), 'package': ('bin', True),
    },
    'CHECKPOINT_ACK': {'number': ('laterEpoch', True)},
}

SUMS = {'round': 1, 'batches': 1, 'pages': 1, 'digest': bytes(8)}
PLAIN = {
    'HELLO': {
        'versionMin': 1, 'versionMax': 1, 'software': '', 'required': [], 'optional': [],
        'pageBytes': [4096], 'mode': 'stop-copy', 'hash': 'xxh64', 'verify': 'none',
        'fingerprintSeed': BIN8, 'verifySeed': bytes(8), 'dataChannels': 1, 'heartbeatMs': 1000,
    },
    'WELCOME': {
        'version': 1, 'software': '', 'capabilities': [], 'pageBytes': 4096, 'dataChannels': 1,
        'heartbeatMs': 1000,
    },
    'ERROR': {'code': 2, 'text': 'The migration was cancelled'},
    'HEARTBEAT': {},
    'RESERVE': {
        'guest': {'kind': 'memory', 'options': {}},
        'regions': [{'id': 0, 'name': 'ram', 'byteLength': 4096}],
    },
    'RESERVED': {'reservedBytes': 4096},
    'STATIC_HELD': {'set': 0, 'first': 8, 'held': b'\x05\x80'},
    'ROUND_BEGIN': {'round': 1, 'kind': 'final', 'pages': 1},
    'BARRIER': SUMS,
    'ROUND_END': SUMS,
    'ROUND_ACK': {'round': 1},
    'CREDIT': {'bytes': 0},
    'NAK': {'round': 1, 'region': 0, 'runs': bytes(4) + b'\x01\0\0\0'},
    'DISCARD': {'region': 0, 'runs': bytes(4) + b'\x02\0\0\0'},
    'RESUME': {'epoch': 1, 'round': 1},
    'LACKING': {'region': 0, 'runs': bytes(4) + b'\x01\0\0\0'},
    'RESUMED': {'epoch': 1, 'round': 2, 'pages': 0, 'checksum': 0},
    'SWITCH_OVER': {'round': 0},
    'SWITCH_OVER_ACK': {},
    'STATE': {'package': b'\x01\x02\x03'},
    'READY': {'epoch': 1},
    'COMMIT': {'epoch': 1},
    'RUNNING': {'epoch': 1, 'resumeMs': 0},
    'OWNER_QUERY': {'epoch': 1},
    'OWNER': {'epoch': 1, 'owner': 'prepared'},
    'VERIFY': {'digest': BIN8, 'regions': []},
    'VERIFIED': {'equal': True, 'digest': BIN8, 'differing': []},
    'FINAL': {'steps': 0, 'registers': b'', 'digest': BIN8},
    'END': {'rounds': 1, 'pages': 1, 'usage': {}},
    'END_ACK': {'usage': {}},
    'PAGE_REQUEST': {'region': 0, 'page': 1},
    'CHECKPOINT_BEGIN': {'number': 1},
    'CHECKPOINT_END': {
        'number': 1, 'batches': 1, 'pages': 1, 'digest': bytes(8), 'pauseMs': 0.25,
        'package': b'\x04\x05',
    },
    'CHECKPOINT_ACK': {'number': 1},
}

MAP_OFFER = {
    'kind': 'map', 'os': 'debian/13', 'hypervisor': 'qemu/10', 'version': 3, 'entries': 400,
    'positions': 7, 'mode': 'content', 'proof': BIN32[:16],
}
IMAGE_OFFER = {'kind': 'image', 'id': BIN32[8:24], 'proof': BIN32[16:]}
IMAGE_KEY = {'id': BIN32[:16], 'token': BIN32}

FAULTS = {'count': 3, 'p50Us': 120.5, 'p99Us': 900, 'maxUs': 900, 'blockedMs': 1.25}
OPTIONAL = {
    'HELLO': {**PLAIN['HELLO'], 'checkpointMs': 200},
    'WELCOME': {**PLAIN['WELCOME'], 'capabilities': ['final'], 'finalAfterMs': 250,
        'creditBytes': 16777216, 'storeBytes': 67108864, 'staticNonce': BIN32[:16]},
    'RESERVE': {**PLAIN['RESERVE'], 'static': [MAP_OFFER, IMAGE_OFFER]},
    'ERROR': {**PLAIN['ERROR'], 'phase': 'pre-copy'},
    'END': {**PLAIN['END'], 'usage': {'cpuSeconds': 0.25, 'overheadBytes': -4096},
        'images': [IMAGE_KEY]},
    'ROUND_BEGIN': {**PLAIN['ROUND_BEGIN'], 'open': True},
    'SWITCH_OVER': {**PLAIN['SWITCH_OVER'], 'postCopy': True},
    'END_ACK': {'usage': {'cpuSeconds': 1, 'overheadBytes': 0.5}, 'faults': FAULTS},
}

BIG = (1 << 53) - 1
LONG = 'ü' * 1024
BIRDS = '\U0001F426' * 512
NAN, INF = float('nan'), float('inf')

# kind: good values at the borders
GOOD = {
    'u16': [0, 65535],
    'u32': [0, 4294967295],
    'count': [0, 4294967296, BIG],
    'window': [8388608, 4294967295],
    'store': [0, 1, 1073741824],
    'set': [0, 7],
    'entry': [0, 16777216],
    'bits': [b'\x01', bytes(300)],
    'bin16': [b'\xff' * 16],
    'runs': [b'\xff' * 8, bytes(16), bytes(range(200))],
    'amount': [0, 0.5, 1e300],
    'round': [1, 1000000],
    'text': ['', 'Zugvögel 渡り鳥 \U0001F426', LONG, BIRDS],
    'name': ['a', 'é' * 128, '\U0001F426' * 64],
    'bin8': [b'\xff' * 8],
    'digest': [bytes(8), BIN32],
    'names': [['a'] * 256, ['ä', 'n' * 128]],
    'pageSizes': [[4096] * 16, [65536, 4096]],
    'mode': ['stop-copy', 'pre-copy', 'post-copy', 'hybrid'],
    'hash': ['xxh3', 'xxh64', 'sha256'],
    'verify': ['none', 'fingerprints', 'sha256'],
    'channels': [1, 64],
    'heartbeat': [100, 60000],
    'interval': [10, 3600000],
    'kind': ['full', 'dirty', 'final', 'post-copy'],
    'owner': ['prepared', 'running', 'refused', 'lost', 'ended'],
    'epoch': [],
    'laterEpoch': [1, 4294967295],
    'bool': [True, False],
    'bin': [b'', bytes(300)],
    'differing': [[], [0, 65535], list(range(1024))],
    'list': [], 'map': [], 'regions': [],
}

# kind: what it is not
NUMBERS = [None, True, '1', b'\x01', [1], {}, -1, 1.5, NAN, INF, -INF]
STRINGS = [None, 1, b'abc', ['abc'], {}]
BAD = {
    'u16': NUMBERS + [65536],
    'u32': NUMBERS + [4294967296],
    'count': NUMBERS + [BIG + 1, 1 << 63, float(1 << 53)],
    'amount': [None, '1', b'\x01', [1], -1, -0.5, NAN, INF, -INF],
    'round': NUMBERS + [0, 1000001],
    'text': STRINGS + [LONG + 'x', BIRDS + '\U0001F426'],
    'name': STRINGS + ['', 'n' * 129, '\U0001F426' * 64 + 'x'],
    'bin8': [None, 1, '12345678', [1] * 8, {}, b'', bytes(7), bytes(9)],
    'digest': [None, 1, '12345678', b'', bytes(7), bytes(9), bytes(31), bytes(33)],
    'names': [None, 1, 'a', {}, b'a', ['a'] * 257, [''], ['n' * 129], [1], ['a', None]],
    'pageSizes': [None, 4096, {}, [], [4096] * 17, [-1], [4294967296], [0.5], ['4096']],
    'mode': STRINGS + ['', 'postcopy', 'Stop-copy'],
    'hash': STRINGS + ['', 'sha512', 'XXH64', 'xxh128'],
    'verify': STRINGS + ['', 'all', 'None'],
    'channels': NUMBERS + [0, 65],
    'heartbeat': NUMBERS + [99, 60001],
    'interval': NUMBERS + [9, 3600001],
    'window': NUMBERS + [0, 8388607, 4294967296],
    'store': NUMBERS + [1073741825, 4294967296],
    'set': NUMBERS + [8],
    'entry': NUMBERS + [16777217, 4294967296],
    'bits': [None, 1, 'x', [1], {}, b'', bytes(131073)],
    'bin16': [None, 1, 'x' * 16, [1] * 16, {}, b'', bytes(15), bytes(17)],
    'runs': [None, 1, '12345678', [1] * 8, {}, b'', bytes(7), bytes(9), bytes(32767), bytes(32776)],
    'kind': STRINGS + ['', 'partial'],
    'owner': STRINGS + ['', 'owner', 'Running'],
    'epoch': NUMBERS + [4294967296],
    'laterEpoch': NUMBERS + [0, 4294967296],
    'bool': [None, 0, 1, 'true'],
    'bin': [None, 1, 'abc', [1], {}],
    'differing': [None, 1, {}, b'', [-1], [65536], ['1'], [0] * 1025],
    'list': [None, 1, 'a', {}, b'', [1]],
    'map': [None, 1, 'a', [], b''],
    'regions': [None, 1, 'a', {}, b'', [1]],
}
