#!/usr/bin/env python3
"""Boots siblings one after the other in QEMU, lets each work, and saves its memory.

usage: boot.py SIBLINGS.tsv KERNEL INITRAMFS FOLDER [NAME...]

Memory is saved as QEMU sees it from address 0 on, with the machine stopped, so that a file has
exactly the size of the memory. images.json lists what is in the folder.
"""

import csv
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

MEMORY_MIB = 256
LIMIT_SECONDS = 900
KERNEL_OPTIONS = "console=ttyS0 quiet panic=-1"


class Qmp:
    """QEMU's control socket: a JSON object per line."""

    def __init__(self, path):
        for _ in range(500):
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.connect(path)
                break
            except OSError:
                time.sleep(0.02)
        self.lines = self.socket.makefile("rw")
        self.lines.readline()
        self.execute("qmp_capabilities")

    def execute(self, command, **arguments):
        self.lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.lines.flush()
        while True:
            answer = json.loads(self.lines.readline())
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]


def machine(sibling, kernel, initramfs, control):
    words = [f"sibling.{key}={sibling[key]}" for key in ("name", "seed", "work")]
    if sibling["kaslr"] == "off":
        words.append("nokaslr")
    mac = "52:54:00:20:00:%02x" % int(sibling["seed"])
    return [
        "qemu-system-x86_64", "-nodefaults", "-accel", "tcg", "-machine", "q35", "-cpu", "max",
        "-smp", "1", "-m", f"{MEMORY_MIB}M", "-display", "none", "-serial", "stdio",
        "-netdev", "hubport,id=net,hubid=0", "-device", f"virtio-net-pci,netdev=net,mac={mac}",
        "-qmp", f"unix:{control},server=on,wait=off", "-kernel", kernel, "-initrd", initramfs,
        "-append", " ".join([KERNEL_OPTIONS, *words]),
    ]  # fmt: skip


def await_work(console, rounds):
    """Reads the console until the service is there and so many rounds of work are done."""
    over = threading.Event()
    tail = []

    def read():
        is_ready, done = False, 0
        for line in console:
            text = line.decode(errors="replace").strip()
            tail.append(text)
            is_ready = is_ready or text == "SERVICE READY"
            done = int(text.split()[1]) if text.startswith("ROUND ") else done
            if is_ready and done >= rounds:
                over.set()
            del tail[:-20]

    threading.Thread(target=read, daemon=True).start()
    if not over.wait(LIMIT_SECONDS):
        raise SystemExit("the guest did not do its work; its last lines:\n" + "\n".join(tail))


def save(sibling, kernel, initramfs, file):
    with tempfile.TemporaryDirectory() as scratch:
        control = os.path.join(scratch, "qmp")
        qemu = subprocess.Popen(
            machine(sibling, kernel, initramfs, control),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        try:
            await_work(qemu.stdout, int(sibling["rounds"]))
            qmp = Qmp(control)
            qmp.execute("stop")
            part = file + ".part"
            qmp.execute("pmemsave", val=0, size=MEMORY_MIB << 20, filename=part)
            os.rename(part, file)
        finally:
            qemu.kill()
            qemu.wait()


def main():
    table, kernel, initramfs, folder, *wanted = sys.argv[1:]
    with open(table, newline="") as rows:
        siblings = list(csv.DictReader(rows, delimiter="\t"))
    unknown = set(wanted) - {sibling["name"] for sibling in siblings}
    if unknown:
        raise SystemExit(f"not in {table}: {' '.join(sorted(unknown))}")
    images = []
    for sibling in siblings:
        name = sibling["name"]
        file = os.path.join(folder, f"{name}.ram")
        if name in wanted or (not wanted and not os.path.exists(file)):
            start = time.monotonic()
            save(sibling, kernel, initramfs, file)
            print(f"{name}: {time.monotonic() - start:.0f} s", flush=True)
        if os.path.exists(file):
            facts = {key: sibling[key] for key in ("name", "kaslr", "work")}
            images.append({**facts, "file": f"{name}.ram", "memoryBytes": os.path.getsize(file)})
    version = subprocess.check_output(["qemu-system-x86_64", "--version"], text=True).split("\n")[0]
    listed = {"kernel": os.path.basename(kernel), "qemu": version, "images": images}
    with open(os.path.join(folder, "images.json"), "w") as out:
        json.dump(listed, out, indent=2)
        out.write("\n")


main()
