"""How vectors are written: one per line, long runs as parts."""

import json
import re

RUN = re.compile(rb'(.{1,4}?|.{12})\1{31,}', re.DOTALL)


def octets(data):
    """`hex`, or `parts` when the bytes hold long runs."""
    parts, at = [], 0
    for found in RUN.finditer(data):
        if found.start() > at:
            parts.append({'hex': data[at : found.start()].hex()})
        run, unit = found.group(0, 1)
        parts.append({'hex': unit.hex(), 'repeat': len(run) // len(unit)})
        at = found.end()
    if not parts:
        return {'hex': data.hex()}
    if at < len(data):
        parts.append({'hex': data[at:].hex()})
    return {'parts': parts}


def short(value):
    shown = repr(value)
    return shown if len(shown) <= 28 else f'{shown[:16]}... ({len(value)})'


def vector(name, note, data, **fields):
    said = {'note': note} if note else {}
    return {'name': name, **said, **octets(data), **fields}


def text(vectors):
    names = [item['name'] for item in vectors]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f'names are used twice: {sorted(twice)}')
    lines = [json.dumps(item, ensure_ascii=False, allow_nan=False) for item in vectors]
    return '[\n' + ',\n'.join(lines) + '\n]\n'
