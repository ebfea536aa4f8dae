# SPDX-License-Identifier: GPL-2.0-only
"""A migration stream, taken apart by its layout in <linux/vfio_pci_mig.h>."""

import struct
import zlib

HEADER = struct.Struct("<QHHHHII")
RECORD = struct.Struct("<HHII")
SEAL = struct.Struct("<III")
PF = struct.Struct("<I6sH60sII")

TYPE_SEAL, TYPE_END = 1, 2
TYPE_IDENTITY, TYPE_PF, TYPE_REGS = 0x100, 0x101, 0x110
CRITICAL = 1
PF_READY, PF_MAC = 1, 2


class Record:
    def __init__(self, offset, kind, flags, payload):
        self.offset, self.kind = offset, kind
        self.flags, self.payload = flags, payload

    def bytes(self):
        head = struct.pack("<HHI", self.kind, self.flags, len(self.payload))
        return head + struct.pack("<I", zlib.crc32(head + self.payload)) + self.payload


def parse(data):
    """The fields of the header, and the records."""
    header = HEADER.unpack_from(data)
    records, at = [], HEADER.size
    while at < len(data):
        kind, flags, length, _crc = RECORD.unpack_from(data, at)
        start = at + RECORD.size
        records.append(Record(at, kind, flags, data[start:start + length]))
        at = start + length
    return list(header), records


def build(header, records, recount=True):
    """All checksums and counts are right, whatever the rest is."""
    head = HEADER.pack(*header[:6], 0)[:-4]
    data = head + struct.pack("<I", zlib.crc32(head))
    part, count = 0, 0
    for record in records:
        if record.kind == TYPE_SEAL and recount:
            number = SEAL.unpack(record.payload)[0]
            record.payload = SEAL.pack(number, count, zlib.crc32(data[part:]))
            part, count = len(data) + RECORD.size + SEAL.size, -1
        data += record.bytes()
        count += 1
    return data


def find(records, kind):
    return next(record for record in records if record.kind == kind)


def with_pf(data, flags, mac):
    """The same, of a device whose guest has talked to its PF."""
    header, records = parse(data)
    record = find(records, TYPE_PF)
    fields = list(PF.unpack(record.payload))
    fields[0], fields[1] = flags, mac
    record.payload = PF.pack(*fields)
    return build(header, records)


def with_reg(data, offset, value):
    """The same, with a dword of the record REGS changed."""
    header, records = parse(data)
    record = find(records, TYPE_REGS)
    record.payload = (record.payload[:offset] + struct.pack("<I", value)
                      + record.payload[offset + 4:])
    return build(header, records)


def damaged(data):
    """(what is wrong, what the decoder has to say of it, the bytes), one by one."""
    header, records = parse(data)

    def changed_header(field, value):
        other = list(header)
        other[field] = value
        return build(other, records)

    def changed(change, recount=True):
        others = [Record(r.offset, r.kind, r.flags, r.payload) for r in records]
        change(others)
        return build(header, others, recount)

    def flipped(offset):
        return data[:offset] + bytes([data[offset] ^ 0x10]) + data[offset + 1:]

    yield "nothing at all", "empty", b""
    yield "magic", "VFMIGSTR", changed_header(0, 1)
    yield "major", "version 2.0", changed_header(1, 2)
    yield "major zero", "never been", changed_header(1, 0)
    yield "vendor", "8087:10ca", changed_header(3, 0x8087)
    yield "device", "8086:10cb", changed_header(4, 0x10cb)
    yield "header's checksum", "checksum of its header", flipped(20)
    for record in records:
        yield f"record at {record.offset}: checksum", "checksum", flipped(record.offset + 8)
        yield (f"record at {record.offset}: length", "",
               data[:record.offset + 4] + b"\xff\xff\xff\x7f" + data[record.offset + 8:])
        yield f"cut at {record.offset}", "not whole", data[:record.offset]
        yield f"cut within {record.offset}", "not whole", data[:record.offset + 5]
        if record.payload:
            yield (f"record at {record.offset}: payload", "checksum",
                   flipped(record.offset + RECORD.size))
    yield "unknown critical record", "must not be skipped", changed(
        lambda rs: rs.insert(0, Record(0, 0x7fff, CRITICAL, b"1234")))
    yield "record twice", "second time", changed(lambda rs: rs.insert(1, rs[0]))
    yield "record missing", "no record IDENTITY", changed(lambda rs: rs.pop(0))
    yield "record in the wrong part", "does not belong", changed(
        lambda rs: rs.insert(0, find(rs, TYPE_REGS)))
    yield "record too short", "cannot be", changed(
        lambda rs: setattr(rs[0], "payload", rs[0].payload[:-1]))
    yield "seal of another part", "another part", changed(
        lambda rs: setattr(find(rs, TYPE_SEAL), "payload",
                           SEAL.pack(1, *SEAL.unpack(find(rs, TYPE_SEAL).payload)[1:])), False)
    yield "seal that miscounts", "counts 9", changed(
        lambda rs: setattr(find(rs, TYPE_SEAL), "payload",
                           SEAL.pack(0, 9, SEAL.unpack(find(rs, TYPE_SEAL).payload)[2])), False)
    yield "end too early", "without a final part", changed(lambda rs: rs.insert(0, rs[-1]))
    yield "no end", "not whole", changed(lambda rs: rs.pop())
    yield "something behind the end", "behind its end", data + b"x"
    yield "another shape", "another BAR", changed(
        lambda rs: setattr(rs[0], "payload", b"\0\x80" + rs[0].payload[2:]))
    yield "impossible PF", "no message", with_pf(data, 0xffffffff, bytes(6))
    yield "too long", "longer than", data + bytes(70000)
