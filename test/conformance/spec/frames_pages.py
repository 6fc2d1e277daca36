"""The checksum of PAGES covers the batch header and the table, and nothing behind them."""

from .frame import batch, frame
from .output import vector

PLACE = {'channel': 'data', 'from': 'source'}
BODY = batch([(0, [b'\x11' * 4096]), (1, 2)])
TABLE_END = 32 + 2 * 12


def changed(data, at):
    made = bytearray(data)
    made[at] ^= 1
    return bytes(made)


def fine(name, note, data, shown, *frames):
    return vector(name, note, data, **PLACE, expect=shown(*frames))


def damaged_vectors(shown, bad):
    data = frame('PAGES', BODY)
    made = [fine('PAGES with a page', '', data, shown, ('PAGES', 0, BODY))]
    for at in (0, 6, 31, 32, TABLE_END - 1):
        name = f'PAGES, covered byte {at} damaged'
        wrong = changed(data, 16 + at)
        made.append(bad(name, 'covered', wrong, 'WIRE_CHECKSUM', len(data), 'PAGES'))
    for at in (TABLE_END, TABLE_END + 1, len(BODY) - 1):
        body = changed(BODY, at)
        name, note = f'PAGES, byte {at} damaged', 'for the batch digest to find'
        made.append(fine(name, note, data[:16] + body, shown, ('PAGES', 0, body)))
    return made


def short_vectors(shown, bad):
    made = []
    for size in (0, 1, 31):
        body = BODY[:size]
        data = frame('PAGES', body)
        name, note = f'PAGES of {size}', 'only the header is covered'
        made.append(fine(name, note, data, shown, ('PAGES', 0, body)))
    body = changed(BODY[:31], 0)
    data = frame('PAGES', BODY[:31])[:16] + body
    made.append(fine('PAGES of 31, damaged', 'not covered', data, shown, ('PAGES', 0, body)))
    many = BODY[:6] + b'\xff\xff' + BODY[8:80]
    data = frame('PAGES', many)
    note = 'the table is cut at the end of the body'
    made.append(fine('PAGES, 65535 entries in 80 bytes', note, data, shown, ('PAGES', 0, many)))
    wrong = changed(data, len(data) - 1)
    name = 'PAGES, 65535 entries, last damaged'
    made.append(bad(name, note, wrong, 'WIRE_CHECKSUM', 96, 'PAGES'))
    two = frame('PAGES', BODY, 0) + frame('PAGES', BODY, 1)
    made.append(fine('PAGES twice', '', two, shown, ('PAGES', 0, BODY), ('PAGES', 1, BODY)))
    full = BODY[:6] + bytes(2) + BODY[8:32] + bytes(4243488 - 32)
    longest = frame('PAGES', full)
    made.append(fine('PAGES of 4243488, whole', '', longest, shown, ('PAGES', 0, full)))
    return made


def pages_vectors(shown, bad):
    return damaged_vectors(shown, bad) + short_vectors(shown, bad)
