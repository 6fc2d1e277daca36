"""Streams as QEMU 7.2 writes them, and broken ones: python3 stream.py > stream.json

Written after migration/savevm.c and migration/ram.c of QEMU, and shares no code with what is tested.
A stream is a list of parts: hex, or [hex, how often]. What it must give: the machine, the memory of
each block as runs [byte, count], the pages marked, the state behind the memory; or the error.
"""
import json
import struct

PAGE = 4096
ZERO, SIZES, FULL_PAGE, EOS, SAME = 0x02, 0x04, 0x08, 0x10, 0x20


def text(name):
    raw = name.encode()
    return bytes([len(raw)]) + raw


def u32(value):
    return struct.pack(">I", value)


def u64(value):
    return struct.pack(">Q", value)


def head(machine="pc-q35-7.2", version=3):
    return b"QEVM" + u32(version) + b"\x07" + u32(len(machine)) + machine.encode()


def first(ident, name="ram", instance=0, version=4):
    return b"\x01" + u32(ident) + text(name) + u32(instance) + u32(version)


def sizes(blocks, total=None):
    out = u64((sum(blocks.values()) if total is None else total) | SIZES)
    for name, length in blocks.items():
        out += text(name) + u64(length)
    return out


def end(ident):
    return u64(EOS) + b"\x7e" + u32(ident)


def part(ident, last=False):
    return (b"\x03" if last else b"\x02") + u32(ident)


def zero(address, name=None, byte=0):
    if name is None:
        return u64(address | ZERO | SAME) + bytes([byte])
    return u64(address | ZERO) + text(name) + bytes([byte])


def page(address, name=None):
    """The head of a page; its bytes follow."""
    if name is None:
        return u64(address | FULL_PAGE | SAME)
    return u64(address | FULL_PAGE) + text(name)


def fill(byte):
    return [bytes([byte]).hex(), PAGE]


BLOCKS = {"pc.ram": 4 * PAGE, "pc.bios": 2 * PAGE}
SETUP = head() + first(2) + sizes(BLOCKS) + end(2)
DEVICES = b"\x04" + u32(7) + text("timer") + u32(0) + u32(2) + b"\x7e" + u32(7) + b"\x00"
LAST = part(2, last=True) + end(2)


def parts(*items):
    """Bytes to hex; neighbours joined."""
    out, held = [], b""
    for item in items:
        if isinstance(item, bytes):
            held += item
            continue
        if held:
            out.append(held.hex())
        held = b""
        out.append(item)
    return out + ([held.hex()] if held else [])


cases = []


def good(name, stream, memory, marked, rest=DEVICES, machine="pc-q35-7.2", blocks=BLOCKS):
    expect = {"machine": machine, "memory": memory, "marked": marked, "rest": rest.hex()}
    cases.append({"name": name, "stream": stream, "blocks": blocks, "expect": expect})


def bad(name, stream, record, at):
    cases.append({"name": name, "stream": stream, "error": {"record": record, "at": at}})


nothing = {"pc.ram": [[0, 4 * PAGE]], "pc.bios": [[0, 2 * PAGE]]}
none = {"pc.ram": [], "pc.bios": []}
good("no page at all", parts(SETUP + LAST + DEVICES), nothing, none)
good(
    "pages, zero pages, two blocks",
    parts(
        SETUP + part(2) + page(PAGE, "pc.ram"), fill(0xA1), page(3 * PAGE), fill(0xA3),
        zero(0) + page(PAGE, "pc.bios"), fill(0xB1), end(2) + LAST + DEVICES,
    ),
    {
        "pc.ram": [[0, PAGE], [0xA1, PAGE], [0, PAGE], [0xA3, PAGE]],
        "pc.bios": [[0, PAGE], [0xB1, PAGE]],
    },
    {"pc.ram": [1, 3], "pc.bios": [1]},
)
good(
    "a page that changes, and one that becomes zero",
    parts(
        SETUP + part(2) + page(0, "pc.ram"), fill(0x11), page(PAGE), fill(0x12), end(2),
        part(2) + page(0, "pc.ram"), fill(0x21), end(2),
        part(2, last=True) + zero(PAGE, "pc.ram") + zero(2 * PAGE) + end(2) + DEVICES,
    ),
    {"pc.ram": [[0x21, PAGE], [0, 3 * PAGE]], "pc.bios": [[0, 2 * PAGE]]},
    {"pc.ram": [0, 1], "pc.bios": []},
)
good(
    "the block of an earlier section goes on",
    parts(
        SETUP + part(2) + page(0, "pc.bios"), fill(0x31), end(2),
        part(2) + page(PAGE), fill(0x32), end(2) + LAST + DEVICES,
    ),
    {"pc.ram": [[0, 4 * PAGE]], "pc.bios": [[0x31, PAGE], [0x32, PAGE]]},
    {"pc.ram": [], "pc.bios": [0, 1]},
)
good(
    "a page in the first section, another number of it, no device",
    parts(
        head("virt-9.0") + first(77) + sizes({"m": PAGE}) + page(0, "m"), fill(0xFF),
        end(77) + part(77, last=True) + end(77) + b"\x00",
    ),
    {"m": [[0xFF, PAGE]]}, {"m": [0]}, b"\x00", "virt-9.0", {"m": PAGE},
)
good(
    "what follows the devices is kept, too",
    parts(SETUP + LAST + DEVICES + b"\x06" + u32(2) + b"{}"), nothing, none,
    DEVICES + b"\x06" + u32(2) + b"{}",
)

at = len(SETUP)
bad("another magic", parts(b"LIBV" + SETUP[4:]), "magic", 0)
bad("another version", parts(head(version=2)), "version", 4)
bad("no configuration", parts(b"QEVM" + u32(3) + first(2)), "configuration", 8)
bad("a machine without a name", parts(head("")), "configuration", 8)
bad("a machine's name too long", parts(b"QEVM" + u32(3) + b"\x07" + u32(2**31)), "configuration", 8)
bad("a part of the configuration", parts(head() + b"\x05" + text("configuration/uuid")),
    "configuration/uuid", len(head()))
bad("another device in parts", parts(head() + first(3, "vfio")), "vfio", len(head()))
bad("memory of another version", parts(head() + first(2, version=5)), "ram", len(head()))
bad("memory twice", parts(SETUP + first(2)), "ram", at)
bad("memory of another instance", parts(head() + first(2, instance=1)), "ram", len(head()))
bad("no list of blocks", parts(head() + first(2) + end(2)), "ram", len(head() + first(2)))
bad("a list of nothing", parts(head() + first(2) + u64(SIZES)), "flags 0x4", len(head() + first(2)))
bad("a list that is too long", parts(head() + first(2) + sizes({"a": PAGE, "b": 2 * PAGE}, 2 * PAGE)),
    "sizes", len(head() + first(2) + u64(0) + text("a") + u64(0)))
bad("a block twice", parts(head() + first(2) + u64(2 * PAGE | SIZES) + 2 * (text("a") + u64(PAGE))),
    "sizes", len(head() + first(2) + u64(0) + text("a") + u64(0)))
bad("a block of half a page", parts(head() + first(2) + u64(PAGE | SIZES) + text("a") + u64(2048)),
    "sizes", len(head() + first(2) + u64(0)))
bad("a block of nothing", parts(head() + first(2) + u64(PAGE | SIZES) + text("a") + u64(0)),
    "sizes", len(head() + first(2) + u64(0)))
bad("a block without a name", parts(head() + first(2) + u64(PAGE | SIZES) + text("") + u64(PAGE)),
    "sizes", len(head() + first(2) + u64(0)))
bad("a second list", parts(SETUP + part(2) + sizes({"a": PAGE})), "flags 0x4", at + 5)
bad("a page of an unknown block", parts(SETUP + part(2) + page(0, "vga.vram")), "block", at + 5)
bad("a page of no block", parts(SETUP + part(2) + page(0)), "page", at + 5)
bad("a page beyond the end", parts(SETUP + part(2) + page(4 * PAGE, "pc.ram")), "page", at + 5)
bad("a page far beyond the end", parts(SETUP + part(2) + zero(2**63, "pc.ram")), "page", at + 5)
bad("a zero page of another byte", parts(SETUP + part(2) + zero(0, "pc.ram", 7)), "zero", at + 5)
bad("xbzrle", parts(SETUP + part(2) + u64(0x40) + text("pc.ram")), "xbzrle", at + 5)
bad("compress", parts(SETUP + part(2) + u64(0x120)), "compress", at + 5)
bad("multifd", parts(SETUP + part(2) + u64(0x200)), "multifd-flush", at + 5)
bad("rdma", parts(SETUP + part(2) + u64(0x80)), "hook (rdma)", at + 5)
bad("an unknown flag", parts(SETUP + part(2) + u64(0x800)), "flags 0x800", at + 5)
bad("two kinds at once", parts(SETUP + part(2) + u64(0x0A)), "flags 0xa", at + 5)
bad("no kind at all", parts(SETUP + part(2) + u64(0)), "flags 0x0", at + 5)
bad("a command", parts(SETUP + b"\x08" + struct.pack(">HH", 1, 0)), "command", at)
bad("an unknown section", parts(SETUP + b"\x42"), "section 0x42", at)
bad("a description before its time", parts(SETUP + b"\x06"), "section 0x6", at)
bad("a part of another section", parts(SETUP + part(9)), "section 9", at)
bad("more of memory after its last part", parts(SETUP + LAST + part(2)), "section 2", at + len(LAST))
bad("no footer", parts(SETUP[:-5] + part(2)), "footer", at - 5)
bad("another footer", parts(SETUP[:-4] + u32(3)), "footer", at - 5)
bad("a device before the memory's end", parts(SETUP + DEVICES), "timer", at)
bad("the end before the memory's", parts(SETUP + b"\x00"), "end", at)

print(json.dumps({"page": PAGE, "cases": cases}, indent=1))
