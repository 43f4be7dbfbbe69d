"""What a program says it is made of, held against the lock file: the list inside it (cargo auditable) and
the bill of materials beside it (CycloneDX). Usage: parts.py PROGRAM SBOM LOCK"""

import json
import os
import struct
import sys
import tomllib
import zlib


def section(program, name):
    """The bytes of an ELF section (64 bit, little-endian)."""
    with open(program, "rb") as file:
        data = file.read()
    if data[:6] != b"\x7fELF\x02\x01":
        sys.exit(f"{program}: not a 64-bit ELF file")
    (headers,) = struct.unpack_from("<Q", data, 0x28)
    size, count, names = struct.unpack_from("<HHH", data, 0x3A)

    def header(number):
        return struct.unpack_from("<IIQQQQ", data, headers + number * size)

    strings = header(names)[4]
    for number in range(count):
        label, _, _, _, start, length = header(number)
        if data[strings + label :].split(b"\0", 1)[0] == name:
            return data[start : start + length]
    sys.exit(f"{program}: it has no section {name.decode()}")


def main(program, sbom, lock):
    with open(lock, "rb") as file:
        locked = {(one["name"], one["version"]) for one in tomllib.load(file)["package"]}
    inside = json.loads(zlib.decompress(section(program, b".dep-v0")))["packages"]
    inside = {(one["name"], one["version"]) for one in inside}
    with open(sbom, encoding="utf-8") as file:
        bill = json.load(file)
    if bill["bomFormat"] != "CycloneDX":
        sys.exit(f"{sbom}: not a CycloneDX document")
    if os.getcwd() in json.dumps(bill):
        sys.exit(f"{sbom}: it names folders of this machine")
    listed = {(one["name"], one["version"]) for one in bill["components"]}
    for parts, what in [(inside, "the program"), (listed, "the bill")]:
        unknown = parts - locked
        if unknown or len(parts) < 200:
            sys.exit(f"{what} lists {len(parts)} crates, not locked: {sorted(unknown)}")
    missing = inside - listed - {one for one in inside if one[0] == "segue"}
    if missing:
        sys.exit(f"in the program and not on the bill: {sorted(missing)}")
    print(f"{len(inside)} crates inside the program, {len(listed)} on the bill of materials")


main(*sys.argv[1:])
