#!/usr/bin/env python3
"""Reads a log of Millwright from its files: an independent reader, written from docs/log-format.md alone, with Python's standard library only;
for sealed segments Zstandard (Python 3.14, or the package zstandard or pyzstd) and the package pcodec are needed besides.

    log_reader.py DIRECTORY             checks everything and prints one line of JSON: sizes, the root of the tree
    log_reader.py DIRECTORY --records   prints each record before that, one line of JSON each, frames decoded

Every checksum, leaf digest, payload digest, frame digest, the tree of each segment header and the indexes are computed anew.
The exit status is 0 when everything fits, and 1, with the reason on the standard error, when anything does not.
"""

import hashlib
import json
import struct
import sys
import uuid
from pathlib import Path

U64 = (1 << 64) - 1


class Damage(Exception):
    """What is on disk is not what was written."""


def need(holds, reason):
    if not holds:
        raise Damage(reason)


# --- Checksums and digests -------------------------------------------------------------------------------------------------------------------


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC_TABLE = _crc_table()


def crc32c(data, start=0):
    """The Castagnoli checksum of `data`, going on from the checksum `start`."""
    value = start ^ 0xFFFFFFFF
    table = CRC_TABLE
    for byte in data:
        value = (value >> 8) ^ table[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def sha256(*parts):
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


class Tree:
    """RFC 6962, section 2.1: the roots of the complete subtrees, the largest first."""

    def __init__(self):
        self.size = 0
        self.roots = []

    def push(self, leaf_digest):
        self.roots.append(leaf_digest)
        self.size += 1
        filled = self.size
        while filled % 2 == 0:
            right = self.roots.pop()
            self.roots.append(sha256(b"\x01", self.roots.pop(), right))
            filled //= 2

    def root(self):
        if not self.roots:
            return sha256(b"")
        root = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            root = sha256(b"\x01", left, root)
        return root


# --- Bytes -----------------------------------------------------------------------------------------------------------------------------------


class Cursor:
    """Takes values from the front of some bytes; what ends too early is damage."""

    def __init__(self, data, at=0):
        self.data = data
        self.at = at

    def bytes(self, count):
        need(self.at + count <= len(self.data), "a value ends beyond its block")
        taken = bytes(self.data[self.at : self.at + count])
        self.at += count
        return taken

    def number(self, form):
        return struct.unpack("<" + form, self.bytes(struct.calcsize("<" + form)))[0]

    def uuid(self):
        return str(uuid.UUID(bytes=self.bytes(16)))

    def text(self, count):
        try:
            return self.bytes(count).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Damage("a text is not UTF-8") from error

    def varint(self):
        value = 0
        for place in range(10):
            byte = self.number("B")
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                need(value <= U64, "a varint has more than 64 bits")
                return value
        raise Damage("a varint has more than 64 bits")

    def signed(self):
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def bits(self, count):
        packed = self.bytes((count + 7) // 8)
        return [packed[row // 8] >> (row % 8) & 1 for row in range(count)]

    def end(self, what):
        need(self.at == len(self.data), f"bytes are left over after {what}")


def wrapped_signed(value):
    """The value as a signed 64-bit number."""
    value &= U64
    return value - (1 << 64) if value >> 63 else value


# --- Frames ----------------------------------------------------------------------------------------------------------------------------------

MAX_READINGS = 20_000
BOOLEAN, INTEGER, FLOAT, TEXT = range(4)


class Column:
    """One signal's readings of one kind. A float is kept as its 64 bits."""

    def __init__(self, cursor):
        start = cursor.at
        self.signal = cursor.text(cursor.varint())
        self.kind = cursor.number("B")
        need(self.kind <= TEXT, "a column has an unknown kind")
        rows = self.rows = cursor.varint()
        need(1 <= rows <= MAX_READINGS, "a column has no rows, or too many")
        bounds = [cursor.number(form) for form in "qqQQ"]
        length = cursor.varint()
        above = bytes(cursor.data[start : cursor.at])
        checksum = cursor.number("I")
        body = cursor.bytes(length)
        need(crc32c(body, crc32c(above)) == checksum, f"the checksum of column {self.signal} does not fit")
        body = Cursor(body)
        self.times = self._times(body)
        self.sequences = self._sequences(body)
        self.values = self._values(body)
        self.statuses = self._statuses(body)
        body.end("a column")
        self._check(bounds)

    def _times(self, body):
        times, time, step = [], 0, 0
        for _ in range(self.rows):
            step = wrapped_signed(step + body.signed())
            time = wrapped_signed(time + step)
            times.append(time)
        return times

    def _sequences(self, body):
        mode = body.number("B")
        need(mode <= 2, "unknown sequences")
        there = [mode == 1] * self.rows if mode < 2 else body.bits(self.rows)
        sequences, last = [], 0
        for here in there:
            if here:
                last = (last + body.signed()) & U64
            sequences.append(last if here else None)
        return sequences

    def _values(self, body):
        if self.kind == BOOLEAN:
            return body.bits(self.rows)
        if self.kind == INTEGER:
            return self._whole(body)
        if self.kind == FLOAT:
            return self._floats(body)
        texts = [body.text(body.varint()) for _ in range(body.varint())]
        indexes = [body.varint() for _ in range(self.rows)]
        need(all(index < len(texts) for index in indexes), "a text has no such index")
        return [texts[index] for index in indexes]

    def _whole(self, body):
        values, value = [], 0
        for _ in range(self.rows):
            value = wrapped_signed(value + body.signed())
            values.append(value)
        return values

    def _floats(self, body):
        mode = body.number("B")
        if mode == 0:
            return [body.number("Q") for _ in range(self.rows)]
        if mode == 1:
            values, last = [], 0
            for _ in range(self.rows):
                shape = body.number("B")
                kept, cut = shape & 15, shape >> 4
                need(kept + cut <= 8 and (kept > 0 or cut == 0), "a float does not have 8 bytes")
                last ^= int.from_bytes(body.bytes(kept), "little") << (8 * cut)
                values.append(last)
            return values
        need(mode == 2, "unknown floats")
        places = body.number("B")
        need(places <= 6, "a float has too many decimal places")
        return [float_bits(float(whole) / float(10**places)) for whole in self._whole(body)]

    def _statuses(self, body):
        statuses = []
        while len(statuses) < self.rows:
            run = body.varint()
            need(1 <= run <= self.rows - len(statuses), "a run of statuses has no length, or too much")
            statuses += [body.number("I")] * run
        return statuses

    def _check(self, bounds):
        least_time, greatest_time, least, greatest = bounds
        need((min(self.times), max(self.times)) == (least_time, greatest_time), "the bounds of the times do not fit")
        order = [(time, -1 if sequence is None else sequence) for time, sequence in zip(self.times, self.sequences)]
        need(order == sorted(order), "the rows of a column do not ascend")
        if self.kind == FLOAT:
            numbers = [value for value in map(bits_float, self.values) if value == value]
            if numbers:
                found = (bits_float(least), bits_float(greatest))
                need(found == (min(numbers), max(numbers)), "the bounds of the values do not fit")
            else:
                need(all(bound != bound for bound in map(bits_float, (least, greatest))), "a bound is not NaN")
        elif self.kind == TEXT:
            need((least, greatest) == (0, 0), "texts have no bounds")
        else:
            found = (wrapped_signed(least), wrapped_signed(greatest))
            need(found == (min(self.values), max(self.values)), "the bounds of the values do not fit")

    def canonical(self):
        signal = self.signal.encode()
        yield struct.pack("<I", len(signal)) + signal + struct.pack("<BI", self.kind, self.rows)
        yield struct.pack(f"<{self.rows}q", *self.times)
        if all(sequence is None for sequence in self.sequences):
            yield b"\0"
        else:
            yield b"\1"
            for sequence in self.sequences:
                yield struct.pack("<BQ", sequence is not None, sequence or 0)
        if self.kind == TEXT:
            for text in map(str.encode, self.values):
                yield struct.pack("<I", len(text)) + text
        else:
            yield struct.pack(f"<{self.rows}{'BqQ'[self.kind]}", *self.values)
        if any(self.statuses):
            yield b"\1" + struct.pack(f"<{self.rows}I", *self.statuses)
        else:
            yield b"\0"

    def readings(self):
        name = ("boolean", "integer", "float", "text")[self.kind]
        for time, sequence, value, status in zip(self.times, self.sequences, self.values, self.statuses):
            if self.kind == FLOAT:
                value = f"{value:016x}"
            yield [self.signal, str(time), None if sequence is None else str(sequence), name, str(value), status]


def float_bits(value):
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def bits_float(bits):
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


def width_for(number):
    """How many bits a number up to this one is packed with."""
    return number.bit_length() if number.bit_length() <= 56 else 64


def read_width(cursor):
    width = cursor.number("B")
    need(width <= 56 or width == 64, "a width that is not used")
    return width


def read_packed(cursor, width, count):
    packed = int.from_bytes(cursor.bytes((width * count + 7) // 8), "little")
    need(packed >> (width * count) == 0, "bits are left over after packed numbers")
    return [packed >> (width * place) & ((1 << width) - 1) for place in range(count)]


def read_blocks(cursor, first, count):
    """Words that follow each other by differences in blocks of 256."""
    words = [first]
    while len(words) < count:
        least, width = cursor.signed(), read_width(cursor)
        for difference in read_packed(cursor, width, min(256, count - len(words))):
            words.append(wrapped_signed(words[-1] + least + difference))
    return words


def read_words(cursor, method, count, least, span):
    """Words by one of the three methods, which reach exactly from the least to the greatest."""
    if method == 0:
        words = [least + offset for offset in read_packed(cursor, width_for(span), count)]
    elif method == 1:
        words = read_blocks(cursor, wrapped_signed(least + cursor.varint()), count)
    else:
        need(method == 2, "an unknown method of storing words")
        runs = cursor.varint()
        need(runs <= count, "more runs than rows")
        values = read_packed(cursor, width_for(span), runs)
        lengths = [length + 1 for length in read_packed(cursor, read_width(cursor), runs)]
        need(sum(lengths) == count, "the runs do not cover the rows")
        words = [least + value for value, length in zip(values, lengths) for _ in range(length)]
    need((min(words), max(words)) == (least, least + span), "words do not reach from their least to their greatest")
    need(-(1 << 63) <= least and least + span < 1 << 63, "a word has more than 64 bits")
    return words


class Axis:
    """The times that columns share."""

    def __init__(self, directory, previous):
        self.rows = directory.varint()
        need(1 <= self.rows <= MAX_READINGS, "an axis has no rows, or too many")
        self.first = wrapped_signed(previous + directory.signed())
        self.last = self.first + directory.varint()
        self.length, self.unit = divmod(directory.varint(), 4)

    def read(self, body):
        body = Cursor(body.bytes(self.length))
        unit = 1000**self.unit
        self.times = [wrapped_signed(self.first + step * unit) for step in read_blocks(body, 0, self.rows)]
        body.end("an axis")
        need(self.times[-1] == self.last and self.times == sorted(self.times), "the times of an axis do not fit")


class Sequences:
    """The sources' counts that columns share."""

    def __init__(self, directory):
        self.rows = directory.varint()
        self.length, self.partial = divmod(directory.varint(), 2)

    def read(self, body):
        body = Cursor(body.bytes(self.length))
        there = body.bits(self.rows) if self.partial else [1] * self.rows
        need(0 < sum(there) and (not self.partial or sum(there) < self.rows), "sequences in the wrong form")
        least, span, method = body.signed(), body.varint(), body.number("B")
        words = iter(read_words(body, method, sum(there), least, span))
        self.counts = [next(words) & U64 if here else None for here in there]
        body.end("a list of sequences")


class Chosen:
    """Which list a column has: that of the column before, the next unused one, or one by number."""

    def __init__(self, lists):
        self.lists = lists
        self.last = None
        self.used = 0

    def choose(self, choice):
        """Whether the number of the list follows; it is `last` otherwise."""
        need(choice < 3 and (choice != 0 or self.last is not None), "a column refers to no list")
        if choice == 1:
            self.set(self.used)
        return choice == 2

    def set(self, number):
        need(number < len(self.lists), "a column refers to a list that is not there")
        self.last = number
        self.used = max(self.used, number + 1)

    def list(self):
        return self.lists[self.last]


class Column2(Column):
    """One signal's readings of one kind in a frame of version 2."""

    def __init__(self, directory, before, axes, sequences):
        shape = directory.number("B")
        self.kind = shape & 3
        need(shape < 0x80, "a column has an unknown shape")
        shared = directory.varint()
        before = before.signal.encode() if before else b""
        need(shared <= len(before), "a signal shares more than there is")
        rest = directory.bytes(directory.varint())
        need(not rest or before[shared : shared + 1] != rest[:1], "a signal shares more than it says")
        try:
            self.signal = (before[:shared] + rest).decode()
        except UnicodeDecodeError as error:
            raise Damage("a signal is not UTF-8") from error
        need(self.signal, "a signal has no id")
        if axes.choose(shape >> 2 & 3):
            axes.set(directory.varint())
        counted = shape >> 4 & 3
        if counted and sequences.choose(counted - 1):
            sequences.set(directory.varint())
        axis = axes.list()
        self.rows, self.times = axis.rows, axis.times
        self.sequences = sequences.list().counts if counted else [None] * self.rows
        need(len(self.sequences) == self.rows, "the sequences of a column do not fit")
        self.flagged = shape & 0x40
        self.bounds = None
        if self.kind in (BOOLEAN, INTEGER):
            self.range = directory.signed(), directory.varint()
        elif self.kind == FLOAT:
            self._float_form(directory)
        self.length, self.method = divmod(directory.varint(), 4)

    def _float_form(self, directory):
        self.form = directory.number("B")
        if self.form < 32:
            need(self.form % 16 <= 9, "a float has too many decimal places")
            self.range = directory.signed(), directory.varint()
            return
        need(64 <= self.form < 192, "an unknown form of floats")
        size = (64 - self.form % 64 + 7) // 8
        least = int.from_bytes(directory.bytes(size), "little", signed=True)
        self.range = least, int.from_bytes(directory.bytes(size), "little")
        if self.form >= 128:
            self.bounds = directory.number("Q"), directory.number("Q")

    def read(self, body):
        body = Cursor(body.bytes(self.length))
        if self.kind == TEXT:
            texts = [body.text(body.varint()) for _ in range(body.varint())]
            indexes = read_words(body, self.method, self.rows, 0, max(len(texts) - 1, 0))
            self.values = [texts[index] for index in indexes]
        else:
            words = read_words(body, self.method, self.rows, *self.range)
            self.values = [self._float(word) for word in words] if self.kind == FLOAT else words
        self.statuses = self._statuses(body) if self.flagged else [0] * self.rows
        body.end("a column")
        order = [(time, -1 if sequence is None else sequence) for time, sequence in zip(self.times, self.sequences)]
        need(order == sorted(order), "the rows of a column do not ascend")
        need(self.kind != BOOLEAN or set(self.values) <= {0, 1}, "a boolean is neither 0 nor 1")
        numbers = [bits_float(value) for value in self.values if self.kind == FLOAT]
        present = [number for number in numbers if number == number]
        need(self.bounds or len(present) == len(numbers), "a column has NaN and does not say so")
        if self.bounds and present:
            found = tuple(map(bits_float, self.bounds))
            need(found == (min(present), max(present)), "the bounds of the values do not fit")
        elif self.bounds:
            need(all(bound != bound for bound in map(bits_float, self.bounds)), "a bound is not NaN")

    def _float(self, word):
        if self.form < 32:
            value = float(word) / float(10 ** (self.form % 16))
            return float_bits(value if self.form < 16 else struct.unpack("<f", struct.pack("<f", value))[0])
        cut = self.form % 64
        if word < 0:
            word ^= (1 << (63 - cut)) - 1
        return word << cut & U64


def read_frame_2(payload):
    """The columns of a frame of version 2."""
    cursor = Cursor(payload, 4)
    directory_bytes, checksum = cursor.number("I"), cursor.number("I")
    directory = cursor.bytes(directory_bytes)
    need(crc32c(directory, crc32c(bytes(payload[:8]))) == checksum, "the checksum of a frame's directory does not fit")
    body = cursor.bytes(len(payload) - cursor.at - 4)
    need(crc32c(body, checksum) == cursor.number("I"), "the checksum of a frame's body does not fit")
    directory, body = Cursor(directory), Cursor(body)
    column_count, axis_count, list_count = (directory.varint() for _ in range(3))
    axes, lists, columns = [], [], []
    for _ in range(axis_count):
        axes.append(Axis(directory, axes[-1].first if axes else 0))
    lists.extend(Sequences(directory) for _ in range(list_count))
    for shared in (axes, lists):
        need(sum(one.rows for one in shared) <= MAX_READINGS, "a frame has too many readings")
        for one in shared:
            one.read(body)
    axes, lists = Chosen(axes), Chosen(lists)
    for _ in range(column_count):
        column = Column2(directory, columns[-1] if columns else None, axes, lists)
        column.read(body)
        columns.append(column)
        need(sum(column.rows for column in columns) <= MAX_READINGS, "a frame has too many readings")
    directory.end("the directory of a frame")
    body.end("a frame")
    return columns


def read_frame(payload):
    """The columns of a frame."""
    cursor = Cursor(payload)
    need(cursor.bytes(3) == b"MWF", "a frame does not begin with MWF")
    version = cursor.number("B")
    if version == 2:
        return in_order(read_frame_2(payload))
    need(version == 1, "a frame has an unknown version")
    columns = []
    for _ in range(cursor.varint()):
        columns.append(Column(cursor))
        need(sum(column.rows for column in columns) <= MAX_READINGS, "a frame has too many readings")
    cursor.end("a frame")
    return in_order(columns)


def in_order(columns):
    """The columns, which ascend by signal and kind."""
    need(columns, "a frame has no readings")
    keys = [(column.signal.encode(), column.kind) for column in columns]
    need(all(one < next for one, next in zip(keys, keys[1:])), "the columns of a frame do not ascend")
    return columns


def frame_digest(columns):
    digest = hashlib.sha256(b"millwright frame 1\n" + struct.pack("<I", len(columns)))
    for column in columns:
        for part in column.canonical():
            digest.update(part)
    return digest.digest()


# --- Records ---------------------------------------------------------------------------------------------------------------------------------

CONTENT_TYPES = {1: "application/json", 2: "application/vnd.millwright.frame", 3: "application/octet-stream"}
DIGEST_ALGORITHMS = {1: "sha-256", 2: "frame-sha-256"}
ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def quoted(text):
    """A JSON string as leaves write it."""
    if text is None:
        return "null"
    return '"' + "".join(ESCAPES.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in text) + '"'


class Record:
    """One record, from its body."""

    def __init__(self, body, put_together=None):
        """From a whole body; or from what stands before the payload, and what says that: its bytes, its columns, or that it was dropped."""
        cursor = Cursor(body)
        self.position = cursor.number("Q")
        self.revision = cursor.number("Q")
        self.record_time = cursor.number("q")
        self.leaf_digest = cursor.bytes(32)
        self.id = cursor.uuid()
        self.payload_digest = cursor.bytes(32)
        flags, content_type, algorithm, zero = cursor.bytes(4)
        need(flags < 128 and zero == 0, "a record has unknown flags")
        need(content_type in CONTENT_TYPES and algorithm in DIGEST_ALGORITHMS, "a record has an unknown type or digest")
        self.content_type = CONTENT_TYPES[content_type]
        self.digest_algorithm = DIGEST_ALGORITHMS[algorithm]
        self.schema_version = cursor.number("H")
        tags = cursor.number("H")
        self.event_time = cursor.number("q") if flags & 1 else None
        self.correlation_id = cursor.uuid() if flags & 2 else None
        self.causation_id = cursor.uuid() if flags & 4 else None
        self.data_key_id = cursor.uuid() if flags & 8 else None
        text = lambda: cursor.text(cursor.number("H"))
        self.stream, self.event_type, self.actor = text(), text(), text()
        self.source = text() if flags & 16 else None
        self.external_id = text() if flags & 32 else None
        self.tags = [text() for _ in range(tags)]
        self.columns = None
        self.regrouped = False
        if put_together is None:
            self.payload = cursor.bytes(cursor.number("I"))
        else:
            self.payload, self.columns, dropped = put_together
            self.regrouped = self.columns is not None
            need(dropped == bool(flags & 64), "a payload is not what the flags of its record say")
        cursor.end("a record")
        need(sha256(b"\0", self.leaf()) == self.leaf_digest, f"the leaf digest of record {self.position} does not fit")
        if flags & 64:
            need(self.payload == b"", "a payload that was dropped is there")
            self.payload = None
        else:
            self.check_payload()

    def check_payload(self):
        if self.digest_algorithm == "frame-sha-256":
            if not self.regrouped:
                self.columns = read_frame(self.payload)
            digest = frame_digest(self.columns)
        else:
            need(not self.regrouped, "a payload with another digest than that of its columns was regrouped")
            digest = sha256(self.payload)
        need(digest == self.payload_digest, f"the payload digest of record {self.position} does not fit")

    def leaf(self):
        time = None if self.event_time is None else str(self.event_time)
        fields = [
            ("v", "1"),
            ("position", quoted(str(self.position))),
            ("record_time_ns", quoted(str(self.record_time))),
            ("event_time_ns", quoted(time)),
            ("id", quoted(self.id)),
            ("source", quoted(self.source)),
            ("external_id", quoted(self.external_id)),
            ("stream", quoted(self.stream)),
            ("revision", quoted(str(self.revision))),
            ("type", quoted(self.event_type)),
            ("schema_version", str(self.schema_version)),
            ("tags", "[" + ",".join(map(quoted, self.tags)) + "]"),
            ("actor", quoted(self.actor)),
            ("correlation_id", quoted(self.correlation_id)),
            ("causation_id", quoted(self.causation_id)),
            ("data_key_id", quoted(self.data_key_id)),
            ("content_type", quoted(self.content_type)),
            ("digest_algorithm", quoted(self.digest_algorithm)),
            ("payload_digest", quoted(self.payload_digest.hex())),
        ]
        return ("{" + ",".join(f'"{name}":{value}' for name, value in fields) + "}").encode()

    def as_json(self):
        """The record as one line: the leaf, and beside it what the leaf only commits to."""
        # The bytes of a frame that was regrouped are whatever encoding its reader prefers; its readings are what was appended.
        payload = "regrouped" if self.regrouped else self.payload and self.payload.hex()
        line = {"leaf": self.leaf().decode(), "payload": "" if payload == b"" else payload}
        if self.columns is not None:
            line["readings"] = [reading for column in self.columns for reading in column.readings()]
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


# --- Segments --------------------------------------------------------------------------------------------------------------------------------

HEADER = 4096
LEAST_TIME = -(1 << 63)


def seed(log_id, number):
    return crc32c(log_id + struct.pack("<Q", number))


class SegmentHeader:
    def __init__(self, data, number, expected=b"MWSEGMNT"):
        need(len(data) >= HEADER, "the segment is shorter than its header")
        need(crc32c(data[:4092]) == struct.unpack_from("<I", data, 4092)[0], "the header's checksum does not fit")
        magic, version, record_version, zero = struct.unpack_from("<8sHHI", data)
        need((magic, version, record_version, zero) == (expected, 1, 1, 0), "the header has an unknown version")
        self.log_id = data[16:32]
        found, self.base, self.time_before, count = struct.unpack_from("<QQqQ", data, 32)
        need(found == number, "the header names another segment")
        need(count == self.base.bit_count() and 64 + 32 * count <= 4092, "the number of digests does not fit the base")
        self.roots = [data[at : at + 32] for at in range(64, 64 + 32 * count, 32)]
        more = data[64 + 32 * count : 4092]
        if expected == b"MWSEALED":
            need(64 + 32 * count <= 4064, "the number of digests does not fit")
            self.records, self.last_time, self.readings = struct.unpack_from("<QqQ", data, 4064)
            more = data[64 + 32 * count : 4064] + data[4088:4092]
        need(not any(more), "the header holds unknown bytes")


class Batch:
    """A batch that validates, at this offset."""

    def __init__(self, data, at):
        self.at = at
        self.length = struct.unpack_from("<I", data, at + 4)[0]
        flags, self.first, self.count, zero, self.durable_upto = struct.unpack_from("<IQIIQ", data, at + 12)
        self.known = flags == 0 and zero == 0
        self.records = data[at + 40 : at + 40 + self.length]
        self.next = (at + 40 + self.length + 15) // 16 * 16


def batch_at(data, at, start):
    """The batch at this offset, or None where none validates."""
    if data[at : at + 4] != b"MWB1" or at + 40 > len(data):
        return None
    length, checksum = struct.unpack_from("<II", data, at + 4)
    if at + 40 + length > len(data):
        return None
    covered = data[at + 4 : at + 8] + data[at + 12 : at + 40 + length]
    if crc32c(covered, start) != checksum:
        return None
    batch = Batch(data, at)
    return batch if batch.count else None


# --- Sealed segments -------------------------------------------------------------------------------------------------------------------------


def decompress(data, raw_bytes):
    """One Zstandard frame whose length is known."""
    try:
        from compression import zstd
    except ImportError:
        try:
            import zstandard
        except ImportError:
            import pyzstd as zstd
        else:
            raw = zstandard.ZstdDecompressor().decompress(data, max_output_size=max(raw_bytes, 1))
            need(len(raw) == raw_bytes, "a Zstandard frame has another length than was said")
            return raw
    raw = zstd.decompress(data)
    need(len(raw) == raw_bytes, "a Zstandard frame has another length than was said")
    return raw


class Numbers:
    """Numbers of a chunk, page by page. Floats are their 64 bits."""

    def __init__(self, cursor, kind):
        self.kind = kind
        mode = cursor.number("B")
        need(mode <= 1, "unknown numbers")
        self.chunk = None
        if mode == 0:
            self.start, self.step = cursor.number("Q"), cursor.number("Q")
            need(kind != "f64" or self.step == 0, "floats do not step")
            return
        from pcodec import wrapped

        meta = cursor.bytes(cursor.varint())
        file, used = wrapped.FileDecompressor.new(meta)
        self.chunk, rest = file.chunk_decompressor(meta[used:], kind)
        need(used + rest == len(meta), "bytes are left over after the metadata of numbers")

    def page(self, data, first, count):
        if self.chunk is None:
            need(not data, "a progression has no bytes")
            numbers = [(self.start + self.step * row) & U64 for row in range(first, first + count)]
        else:
            import numpy

            found = numpy.zeros(count, dtype={"i64": "<i8", "u64": "<u8", "f64": "<f8"}[self.kind])
            progress, used = self.chunk.read_page_into(data, count, found)
            need(progress.n_processed == count and used == len(data), "a page of numbers has another length")
            numbers = found.view("<u8").tolist()
        return [wrapped_signed(number) for number in numbers] if self.kind == "i64" else numbers


class Chunk:
    """Readings of one signal and kind from many frames."""

    def __init__(self, place, data, start):
        self.place = place
        head = data[: place.head_bytes]
        need(crc32c(head, start) == place.checksum, "the checksum of a chunk's head does not fit")
        cursor = Cursor(decompress(head, place.head_raw_bytes))
        frames = cursor.varint()
        row, self.parts = 0, {}
        rows = []
        for _ in range(frames):
            row += cursor.varint()
            rows.append(row)
        counts = [cursor.varint() for _ in range(frames)]
        begin, first_row = 0, 0
        for row, count in zip(rows, counts):
            first_row += cursor.signed()
            need(row not in self.parts and count > 0, "a chunk has two parts of one frame, or an empty one")
            self.parts[row] = (begin, count, first_row)
            begin += count
        need(begin == place.readings, "the parts of a chunk do not add up")
        need((rows[0], rows[-1]) == (place.first, place.last), "a chunk has other frames than the directory says")
        page_rows = cursor.varint()
        need(page_rows > 0, "pages have no readings")
        packed = [Cursor(cursor.bytes(cursor.varint())) for _ in range(4)]
        self._packed(packed)
        self.times, self.sequences, self.values, self.statuses = [], [], [], []
        at = place.head_bytes
        for first in range(0, place.readings, page_rows):
            count = min(page_rows, place.readings - first)
            lengths = [cursor.varint() for _ in range(4)]
            least, greatest, checksum = cursor.signed(), cursor.signed(), cursor.number("I")
            page = data[at : at + sum(lengths)]
            need(crc32c(page, start) == checksum, "the checksum of a page does not fit")
            at += len(page)
            page = Cursor(page)
            streams = [page.bytes(length) for length in lengths]
            times = self.time_numbers.page(streams[0], first, count)
            need((min(times), max(times)) == (least, greatest), "the times of a page are not within its bounds")
            self.times += times
            self.sequences += self._page_sequences(streams[1], first, count)
            self.values += self._page_values(streams[2], first, count)
            self.statuses += self._page_statuses(streams[3], count)
        cursor.end("the head of a chunk")
        need(at == len(data), "bytes are left over after the pages of a chunk")
        need((min(self.times), max(self.times)) == place.times, "the times of a chunk are not within its bounds")

    def _packed(self, packed):
        times, sequences, values, statuses = packed
        self.time_numbers = Numbers(times, "i64")
        self.counted = sequences.number("B")
        need(self.counted <= 2, "unknown sequences")
        self.sequence_numbers = Numbers(sequences, "u64") if self.counted else None
        kind = self.place.kind
        self.texts = None
        if kind == BOOLEAN:
            self.alike = values.number("B") if values.number("B") == 0 else None
        else:
            if kind == TEXT:
                self.texts = [values.text(values.varint()) for _ in range(values.varint())]
            self.value_numbers = Numbers(values, {INTEGER: "i64", FLOAT: "f64", TEXT: "u64"}[kind])
        self.status = statuses.number("I") if statuses.number("B") == 0 else None
        for cursor in packed:
            cursor.end("what belongs to a chunk")

    def _page_sequences(self, data, first, count):
        if self.counted == 0:
            need(not data, "a page has sequences that are not there")
            return [None] * count
        there = [1] * count
        if self.counted == 2:
            cursor = Cursor(data)
            there = cursor.bits(count)
            data = data[cursor.at :]
        numbers = self.sequence_numbers.page(data, first, count)
        return [number if here else None for here, number in zip(there, numbers)]

    def _page_values(self, data, first, count):
        if self.place.kind == BOOLEAN:
            if self.alike is not None:
                need(not data, "booleans that are alike have no bytes")
                return [self.alike] * count
            cursor = Cursor(data)
            bits = cursor.bits(count)
            cursor.end("a page of booleans")
            return bits
        numbers = self.value_numbers.page(data, first, count)
        if self.texts is None:
            return numbers
        need(all(number < len(self.texts) for number in numbers), "a text has no such index")
        return [self.texts[number] for number in numbers]

    def _page_statuses(self, data, count):
        if self.status is not None:
            need(not data, "statuses that are alike have no bytes")
            return [self.status] * count
        cursor, statuses = Cursor(data), []
        while len(statuses) < count:
            run = cursor.varint()
            need(1 <= run <= count - len(statuses), "a run of statuses has no length, or too much")
            statuses += [cursor.number("I")] * run
        cursor.end("a page of statuses")
        return statuses

    def column(self, row):
        """The column of the frame in this row, and the row of its first reading there."""
        need(row in self.parts, "a chunk has no part of a frame that names it")
        begin, count, first_row = self.parts[row]
        return SealedColumn(self, begin, begin + count), first_row


class SealedColumn(Column):
    """A part of a chunk."""

    def __init__(self, chunk, begin, end):
        self.signal, self.kind, self.rows = chunk.place.signal, chunk.place.kind, end - begin
        self.times, self.sequences = chunk.times[begin:end], chunk.sequences[begin:end]
        self.values, self.statuses = chunk.values[begin:end], chunk.statuses[begin:end]
        order = [(time, -1 if sequence is None else sequence) for time, sequence in zip(self.times, self.sequences)]
        need(order == sorted(order), "the rows of a column do not ascend")


class ChunkPlace:
    """What the directory says of a chunk."""

    def __init__(self, cursor, signals, index):
        need(index < len(signals), "a chunk has no signal")
        self.signal = signals[index]
        self.kind = cursor.number("B")
        need(self.kind <= TEXT, "a chunk has an unknown kind")
        self.first = cursor.varint()
        self.last = self.first + cursor.varint()
        self.readings = cursor.varint()
        self.times = cursor.signed(), cursor.signed()
        cursor.bytes(16)  # The bounds of the values: they help who searches, and nobody else.
        self.bytes, self.head_bytes, self.head_raw_bytes = cursor.varint(), cursor.varint(), cursor.varint()
        need(self.head_bytes <= self.bytes and self.readings > 0, "a chunk is smaller than its head, or empty")
        self.checksum = cursor.number("I")


class SealedSegment:
    """A sealed segment: everything of it, checked."""

    def __init__(self, data, number):
        self.header = SegmentHeader(data, number, b"MWSEALED")
        self.start = seed(self.header.log_id, number)
        trailer = data[-64:]
        need(crc32c(trailer[:60], self.start) == struct.unpack_from("<I", trailer, 60)[0], "the checksum of the trailer does not fit")
        magic, directory_at, raw_bytes, checksum, blocks_at, file_bytes = struct.unpack_from("<8sQIIQQ", trailer)
        need(magic == b"MWSEALND" and file_bytes == len(data) and not any(trailer[40:60]), "the trailer does not fit")
        directory = data[directory_at:-64]
        need(crc32c(directory, self.start) == checksum, "the checksum of the directory does not fit")
        cursor = Cursor(decompress(directory, raw_bytes))
        signals = [cursor.text(cursor.varint()) for _ in range(cursor.varint())]
        need(all(one.encode() < two.encode() for one, two in zip(signals, signals[1:])), "the signals do not ascend")
        at, index, self.chunks = HEADER, 0, []
        for _ in range(cursor.varint()):
            index += cursor.varint()
            place = ChunkPlace(cursor, signals, index)
            self.chunks.append(Chunk(place, data[at : at + place.bytes], self.start))
            at += place.bytes
        order = [(chunk.place.signal.encode(), chunk.place.kind, chunk.place.first) for chunk in self.chunks]
        need(order == sorted(order), "the chunks are not in order")
        need(at == blocks_at, "the blocks do not follow the chunks")
        need(sum(chunk.place.readings for chunk in self.chunks) == self.header.readings, "the readings of the chunks do not add up")
        self.parts = sum(len(chunk.parts) for chunk in self.chunks)
        self.records = []
        for _ in range(cursor.varint()):
            count, length, raw_bytes = (cursor.varint() for _ in range(3))
            block = data[at : at + length]
            need(crc32c(block, self.start) == cursor.number("I"), "the checksum of a block does not fit")
            at += length
            self._block(Cursor(decompress(block, raw_bytes)), count)
        cursor.end("the directory")
        need(at == directory_at, "the directory does not follow the blocks")
        need(len(self.records) == self.header.records, "the number of records is another one")
        need(self.parts == 0, "a chunk has a part that no frame names")

    def _block(self, cursor, count):
        need(cursor.varint() == count and 1 <= count <= 256, "a block has another number of records")
        headers = [cursor.bytes(cursor.varint()) for _ in range(count)]
        listed = []
        for header in headers:
            kind = cursor.number("B")
            need(kind <= 2, "an unknown kind of payload")
            together = (cursor.bytes(cursor.varint()), None, False) if kind == 0 else (b"", None, True)
            if kind == 1:
                if number := cursor.varint():
                    listed, last = [], 0
                    for _ in range(number):
                        last += cursor.varint()
                        listed.append(last)
                together = (None, self._frame(listed), False)
            self.records.append(Record(header, together))
        cursor.end("a block")

    def _frame(self, listed):
        row, columns = len(self.records), []
        for number in listed:
            need(number < len(self.chunks), "a frame names a chunk that is not there")
            column, first_row = self.chunks[number].column(row)
            need(first_row == sum(column.rows for column in columns), "the rows of a frame are not counted through")
            columns.append(column)
            self.parts -= 1
        return in_order(columns)


class Reader:
    """Reads a directory; gathers what the records and the tree are."""

    def __init__(self, directory, show):
        self.directory = Path(directory)
        self.show = show
        self.tree = Tree()
        self.log_id = None
        self.time = LEAST_TIME
        self.revisions = {}
        self.dropped = 0
        self.ids = set()
        self.readings = 0
        self.torn_bytes = 0
        self.indexes = 0

    def run(self):
        numbers = sorted({int(path.stem) for path in self.directory.glob("*.segment")} | {int(path.stem) for path in self.directory.glob("*.sealed")})
        need(not list(self.directory.glob("*.remote")), "a segment lives in a bucket, which this reader does not reach")
        need(numbers, "there is no segment")
        need(numbers == list(range(len(numbers))), "a segment is missing")
        for number in numbers:
            # Where both are there, the sealed form counts.
            path = self.directory / f"{number:010}.sealed"
            is_sealed = path.exists()
            path = path if is_sealed else self.directory / f"{number:010}.segment"
            last = number == numbers[-1]
            try:
                need(not (last and is_sealed), "the last segment is sealed")
                if is_sealed:
                    self.sealed(number, path.read_bytes())
                else:
                    self.segment(number, path.read_bytes(), last)
            except (Damage, struct.error) as error:
                raise Damage(f"{path.name}: {error}") from error
        return {
            "log_id": str(uuid.UUID(bytes=self.log_id)),
            "records": self.tree.size,
            "segments": len(numbers),
            "streams": len(self.revisions),
            "readings": self.readings,
            "dropped_payloads": self.dropped,
            "indexes": self.indexes,
            "torn_bytes": self.torn_bytes,
            "root": self.tree.root().hex(),
        }

    def sealed(self, number, data):
        segment = SealedSegment(data, number)
        self.begin(segment.header)
        for record in segment.records:
            self.record(record)
        need(segment.header.last_time == self.time, "the time of the last record is another one")
        # Records of a sealed segment have no offset; the row stands in its place.
        self.index(number, segment.header, data, list(enumerate(segment.records)))

    def segment(self, number, data, last):
        header = SegmentHeader(data, number)
        self.begin(header)
        start = seed(self.log_id, number)
        at, rows = HEADER, []
        while batch := batch_at(data, at, start):
            rows += self.batch(batch, start)
            at = batch.next
        if last:
            self.tail(data, at, start)
        else:
            need(at == len(data), "the closed segment does not end with its last batch")
            self.index(number, header, data, rows)

    def begin(self, header):
        """What a segment's header says of the ones before it."""
        self.log_id = self.log_id or header.log_id
        need(header.log_id == self.log_id, "the segment belongs to another log")
        need(header.base == self.tree.size, "the segment's base is not the position reached")
        need(header.time_before == self.time, "the record time before the segment does not fit")
        need(header.roots == self.tree.roots, "the tree before the segment does not fit")

    def batch(self, batch, start):
        need(batch.known, f"the batch at {batch.at} has unknown flags")
        need(batch.first == self.tree.size, f"the batch at {batch.at} does not begin with the next position")
        need(batch.durable_upto <= batch.first, f"the batch at {batch.at} was durable before it was written")
        cursor, rows = Cursor(batch.records), []
        for _ in range(batch.count):
            offset = batch.at + 40 + cursor.at
            length, checksum = cursor.number("I"), cursor.number("I")
            body = cursor.bytes(length)
            need(crc32c(body, start) == checksum, f"the checksum of the record at {offset} does not fit")
            rows.append((offset, self.record(Record(body))))
        cursor.end("a batch")
        return rows

    def record(self, record):
        need(record.position == self.tree.size, "a record does not have the next position")
        need(record.record_time >= self.time, "a record time decreases")
        need(record.revision == self.revisions.get(record.stream, -1) + 1, "a revision does not follow")
        need(record.id not in self.ids, "an event id stands twice")
        self.time = record.record_time
        self.revisions[record.stream] = record.revision
        self.ids.add(record.id)
        self.tree.push(record.leaf_digest)
        if record.columns is not None:
            self.readings += sum(column.rows for column in record.columns)
        self.dropped += record.payload is None and not record.regrouped
        if self.show:
            print(record.as_json())
        return record

    def tail(self, data, at, start):
        """What follows the last batch of the last segment: nothing, a torn tail, or damage."""
        for later in range(at, len(data), 16):
            batch = batch_at(data, later, start)
            need(batch is None or batch.durable_upto <= self.tree.size, f"records were durable before {later}: damage at {at}")
        marked = self.mark()
        need(marked <= self.tree.size, f"durable.mark names the tail {marked}, the records end at {self.tree.size}")
        self.torn_bytes = len(data[at:].rstrip(b"\0"))

    def mark(self):
        """The tail that durable.mark names; 0 when there is none."""
        path = self.directory / "durable.mark"
        if not path.exists():
            return 0
        data, start, found = path.read_bytes(), seed(self.log_id, U64), (0, 0)
        for at in (0, 4096):
            if at + 32 <= len(data):
                write, tail, _closed, checksum = struct.unpack_from("<QQQI", data, at)
                if crc32c(data[at : at + 24], start) == checksum and write < U64:
                    found = max(found, (write, tail))
        return found[1]

    def index(self, number, header, data, rows):
        path = self.directory / f"{number:010}.index"
        # An index of an older version is built anew by whoever opens the log for writing.
        if path.exists() and path.read_bytes()[:8] != b"MWINDEX1":
            built = build_index(self.log_id, number, header.base, len(data), rows)
            found = path.read_bytes()
            if found[76:96] == bytes(20):
                # Written before there were ranges of event times.
                built = built[:76] + bytes(20) + built[96:]
            need(found == built, f"{path.name} is not what its segment makes")
            self.indexes += 1


# --- Indexes ---------------------------------------------------------------------------------------------------------------------------------


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & U64
    return value


def index_keys(record):
    yield b"c" + record.stream.split("-", 1)[0].encode()
    yield b"s" + record.stream.encode()
    yield b"t" + record.event_type.encode()
    for tag in record.tags:
        yield b"g" + tag.encode()


def build_index(log_id, number, base, segment_bytes, rows):
    """The index of a sealed segment, byte for byte."""
    ids = sorted((uuid.UUID(record.id).bytes, row) for row, (_, record) in enumerate(rows))
    keys = {}
    for row, (_, record) in enumerate(rows):
        for key in sorted(set(index_keys(record))):
            revision = record.revision if key[:1] == b"s" else 0
            keys.setdefault(key, (revision, []))[1].append(row)
    names = sorted(keys)
    bloom = bytearray(max(8, (10 * (len(ids) + len(names)) + 7) // 8))
    for item in [id for id, _ in ids] + names:
        mixed = fnv1a(item)
        for turn in range(7):
            bit = (mixed + turn * (mixed >> 33 | 1) & U64) % (8 * len(bloom))
            bloom[bit // 8] |= 1 << bit % 8
    offsets = b"".join(struct.pack("<I", offset) for offset, _ in rows)
    ids = b"".join(id + struct.pack("<I", row) for id, row in ids)
    entries, places = bytearray(), []
    start = 96 + len(bloom) + len(offsets) + len(ids) + 8 * len(names)
    for name in names:
        revision, found = keys[name]
        packed = struct.pack(f"<{len(found)}I", *found)
        places.append(struct.pack("<Q", start + len(entries)))
        entries += struct.pack("<HQI", len(name), revision, len(found)) + name + packed
    body = offsets + ids + b"".join(places) + bytes(entries)
    table = b"".join(struct.pack("<I", crc32c(body[at : at + 4096])) for at in range(0, len(body), 4096))
    total = 96 + len(bloom) + len(body) + len(table)
    head = b"MWINDEX2" + log_id + struct.pack("<QQQQ", number, base, segment_bytes, total)
    head += struct.pack("<IIII", len(rows), len(rows), len(names), len(bloom))
    times = [record.event_time for _, record in rows if record.event_time is not None]
    happened = struct.pack("<qq", min(times, default=2**63 - 1), max(times, default=-(2**63)))
    head += struct.pack("<I", crc32c(head + bloom + table)) + happened + struct.pack("<I", crc32c(happened))
    return bytes(head + bloom + body + table)


def main():
    arguments = sys.argv[1:]
    if len(arguments) not in (1, 2) or arguments[1:] not in ([], ["--records"]):
        sys.exit(__doc__)
    sys.stdout.reconfigure(encoding="utf-8")
    try:
        print(json.dumps(Reader(arguments[0], len(arguments) == 2).run()))
    except Damage as damage:
        sys.exit(f"damaged: {damage}")


if __name__ == "__main__":
    main()
