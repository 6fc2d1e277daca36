#!/usr/bin/env python3
"""Writes the conformance vectors of the wire format from docs/PROTOCOL.md alone.

It shares no code with the implementation. Without arguments it writes the files beside it in
`vectors`; with `--check` it only compares them and ends with 1 when one differs.
"""

import pathlib
import sys

sys.dont_write_bytecode = True

from spec import batches, batches_packed, batches_rich  # noqa: E402
from spec import control, control_nested, control_raw, control_static  # noqa: E402
from spec import frames, prefaces, sealing, static_pages, streams  # noqa: E402
from spec.output import text  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent / 'vectors'
FILES = {
    'preface.json': prefaces.vectors,
    'frames.json': frames.vectors,
    'control.json': control.vectors,
    'control-nested.json': control_nested.vectors,
    'control-raw.json': control_raw.vectors,
    'control-static.json': control_static.vectors,
    'batches.json': batches.vectors,
    'batches-rich.json': batches_rich.vectors,
    'batches-packed.json': batches_packed.vectors,
    'streams.json': streams.vectors,
    'sealing.json': sealing.vectors,
    'static.json': static_pages.vectors,
}


def main(check):
    stale = []
    for name, make in FILES.items():
        path, content = FOLDER / name, text(make())
        if check:
            if not path.exists() or path.read_text('utf-8') != content:
                stale.append(name)
        else:
            FOLDER.mkdir(exist_ok=True)
            path.write_text(content, 'utf-8')
            print(f'{name}: {content.count(chr(10)) - 2} vectors, {len(content)} characters')
    if stale:
        print('not what the script writes: ' + ', '.join(stale))
    return 1 if stale else 0


if __name__ == '__main__':
    sys.exit(main('--check' in sys.argv[1:]))
