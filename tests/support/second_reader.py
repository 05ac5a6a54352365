"""A second reader of the log's bytes, written from src/log/FRAME.md and src/log/JOURNAL.md and nothing else.

    second_reader.py ARCHIVE [PROOF]    checks a folder of segments, prints its head; checks a proof against a head in it
    second_reader.py --frame FILE       checks one frame by itself, prints the head of a log that ends with it
    second_reader.py --journal LOG SEQ  prints what the journal of a log's folder holds after event SEQ, and its numbers
"""

import base64
import json
import os
import struct
import sys

import blake3
import zstandard

CRC_TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
    CRC_TABLE.append(byte)


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def b3(data, key=None):
    return blake3.blake3(data, key=key).digest() if key else blake3.blake3(data).digest()


def line_hash(line):
    return b3(line, b"groundswell log frame v2 / line ")


def node(left, right):
    return b3(left + right, b"groundswell log frame v2 / node ")


def root(level):
    while len(level) > 1:
        odd = level[len(level) & ~1 :]
        level = [node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)] + odd
    return level[0]


def skip_target(index):
    rest, distance = index, 0
    while rest:
        distance = 1
        while distance * 2 + 1 <= rest:
            distance = distance * 2 + 1
        rest -= distance
    return index - distance


def check(true, words):
    if not true:
        sys.exit(f"wrong: {words}")


class Frame:
    """One frame, checked by itself."""

    def __init__(self, data):
        magic, self.version, _, self.first_seq, self.count, raw, length = struct.unpack_from("<4sHHQIII", data)
        check(magic == b"GSWF" and self.version in (1, 2), "magic and version")
        if self.version == 1:
            header, crc_at = 96, 28
            self.previous, self.hash = data[32:64], data[64:96]
            check(b3(data[:28] + data[32:64] + data[96:]) == self.hash, "hash")
        else:
            header, crc_at = 176, 172
            self.previous, self.hash = data[28:60], data[140:172]
            self.index, self.skip_seq = struct.unpack_from("<QQ", data, 60)
            self.skip, self.lines_root = data[76:108], data[108:140]
            check(b3(data[:140]) == self.hash, "hash")
        check(len(data) == header + length, "length")
        (crc,) = struct.unpack_from("<I", data, crc_at)
        check(crc32c(data[:crc_at] + data[crc_at + 4 :]) == crc, "crc")
        body = zstandard.ZstdDecompressor().decompress(data[header:], max_output_size=262144)
        check(len(body) == raw and body.endswith(b"\n") and body.count(b"\n") == self.count, "body")
        self.lines = body[:-1].split(b"\n")
        if self.version == 2:
            check(root([line_hash(line) for line in self.lines]) == self.lines_root, "lines_root")
        self.last_seq = self.first_seq + self.count - 1


def frames(folder):
    for name in sorted(name for name in os.listdir(folder) if name.endswith(".gswf")):
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        at, first = 0, True
        while at < len(data):
            magic, header = struct.unpack_from("<II", data, at)
            check(magic == 0x184D2A50, "record")
            (length,) = struct.unpack_from("<I", data, at + 8 + 24)
            end = at + 8 + header + length
            frame = Frame(data[at + 8 : end])
            check(not first or name == f"{frame.first_seq:020}.gswf", "name")
            yield frame
            at, first = end, False


def walk(folder):
    """Checks the chain; the head and every head there was."""
    next_seq, previous, heads, second = 1, bytes(32), [], []
    for frame in frames(folder):
        check(frame.first_seq == next_seq and frame.previous == previous, "chain")
        if frame.version == 2:
            check(frame.index == len(second), "index")
            target = second[skip_target(frame.index)] if second else None
            skip = (target.first_seq, target.hash) if target else (0, bytes(32))
            check((frame.skip_seq, frame.skip) == skip, "skip")
            second.append(frame)
        else:
            check(not second, "version")
        next_seq, previous = frame.last_seq + 1, frame.hash
        heads.append((frame.last_seq, frame.hash.hex()))
    return heads


def prove(proof, head):
    """Checks a proof against a head's hash."""
    check(proof["groundswell_proof"] == 1 and len(proof["headers"]) <= 193 and len(proof["path"]) <= 32, "form")
    allowed = [bytes.fromhex(head)]
    for place, text in enumerate(proof["headers"]):
        header = base64.b64decode(text)
        check(len(header) == 140 and header[:6] == b"GSWF\x02\x00" and b3(header) in allowed, f"header {place}")
        first_seq, count = struct.unpack_from("<QI", header, 8)
        if place == 0:
            check(proof["head"] == {"seq": first_seq + count - 1, "hash": b3(header).hex()}, "head")
        allowed = [header[28:60], header[76:108]]
    i, n, hash = proof["seq"] - first_seq, count, line_hash(proof["line"].encode())
    check(0 <= i < n, "place")
    path = [bytes.fromhex(text) for text in proof["path"]]
    while n > 1:
        if i % 2 == 1:
            hash = node(path.pop(0), hash)
        elif i + 1 < n:
            hash = node(hash, path.pop(0))
        i, n = i // 2, (n + 1) // 2
    check(not path and hash == header[108:140], "line")


def noted(path):
    """The event in a note."""
    with open(path, "rb") as file:
        data = file.read()
    slots = [data[at : at + 44] for at in (0, 4096)]
    whole = [slot for slot in slots if len(slot) == 44 and crc32c(slot[:40]) == struct.unpack("<I", slot[40:])[0]]
    return max((struct.unpack("<Q", slot[:8])[0] for slot in whole), default=0)


def journal(log, bound):
    """The lines after event `bound`, each with its number."""
    with open(os.path.join(log, "journal"), "rb") as file:
        data = file.read()
    records = []
    for at in range(0, len(data), 4096):
        if data[at : at + 8] != b"GSWJ\x01\0\0\0" or at + 32 > len(data):
            continue
        first_seq, count, length, zeros, crc = struct.unpack_from("<QIIII", data, at + 8)
        lines = data[at + 32 : at + 32 + length]
        if count > 0 and zeros == 0 and first_seq + count - 1 > bound and crc32c(data[at : at + 28] + lines) == crc:
            records.append((first_seq, lines.split(b"\n")[:-1]))
    for first_seq, lines in sorted(records):
        check(first_seq <= bound + 1, f"event {bound + 1}")
        for seq, line in enumerate(lines, first_seq):
            if seq > bound:
                yield seq, line
                bound = seq
    check(bound >= noted(os.path.join(log, "acknowledged")), f"event {bound + 1}")


def main():
    if sys.argv[1] == "--journal":
        for seq, line in journal(sys.argv[2], int(sys.argv[3])):
            print(seq, line.decode())
        return
    if sys.argv[1] == "--frame":
        with open(sys.argv[2], "rb") as file:
            frame = Frame(file.read())
        print("head", frame.last_seq, frame.hash.hex())
        return
    heads = walk(sys.argv[1])
    print("head", *heads[-1])
    if len(sys.argv) > 2:
        with open(sys.argv[2], encoding="utf-8") as file:
            proof = json.load(file)
        # The head must come from somewhere else than the proof: here, from the log.
        known = [hash for seq, hash in heads if seq == proof["head"]["seq"]]
        check(known, "head")
        prove(proof, known[0])
        print("proven", proof["seq"], proof["line"])


main()
