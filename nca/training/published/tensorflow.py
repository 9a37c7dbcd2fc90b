"""TensorFlow's checkpoints, version 2, read with NumPy alone.

A checkpoint is two files. The index is a table of sorted keys, in LevelDB's format: blocks of entries whose keys leave
out what they share with the key before, and a footer that says where the block of blocks lies. The value of a tensor's
name is a protocol buffer with its type, shape and place in the data file, where its numbers lie in rows.
"""

import math
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from nca.errors import DataError

MAGIC = 0xDB4775248B80FB57  # the last eight bytes of a table
FOOTER = 48  # bytes
DTYPES: dict[int, np.dtype[Any]] = {1: np.dtype("<f4"), 2: np.dtype("<f8"), 3: np.dtype("<i4"), 9: np.dtype("<i8")}


def read_checkpoint(index: bytes, data: bytes) -> dict[str, np.ndarray]:
    """The tensors of a checkpoint by their names.

    Args:
        index, data: content of the files `NAME.index` and `NAME.data-00000-of-00001`.

    Raises:
        DataError: for what is no such checkpoint, is compressed, has several data files, or is cut off.
    """
    try:
        return {key.decode(): _tensor(value, data) for key, value in _table(index) if key}
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise DataError(
            f"This is no TensorFlow checkpoint of one uncompressed file ({error!r}); get it again."
        ) from error


def _table(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The entries of all blocks of a table, by their keys."""
    if len(content) < FOOTER or struct.unpack("<Q", content[-8:]) != (MAGIC,):
        raise ValueError("its index is no table")
    _, position = _handle(content, len(content) - FOOTER)
    place, _ = _handle(content, position)
    for _, value in _block(content, place):
        yield from _block(content, _handle(value, 0)[0])


def _handle(content: bytes, position: int) -> tuple[slice, int]:
    """Where a block lies, and the position after that."""
    offset, position = _varint(content, position)
    size, position = _varint(content, position)
    return slice(offset, offset + size), position


def _block(content: bytes, place: slice) -> Iterator[tuple[bytes, bytes]]:
    """The entries of one block, which ends with the positions of its complete keys, not needed here."""
    if content[place.stop] != 0:
        raise ValueError("a block is compressed")
    block, key, position = content[place], b"", 0
    end = len(block) - 4 - 4 * struct.unpack("<I", block[-4:])[0]
    while position < end:
        shared, position = _varint(block, position)
        added, position = _varint(block, position)
        size, position = _varint(block, position)
        key = key[:shared] + block[position : position + added]
        position += added + size
        yield key, block[position - size : position]


def _tensor(entry: bytes, data: bytes) -> np.ndarray:
    """The numbers that a protocol buffer BundleEntryProto describes."""
    numbers, parts = _fields(entry)
    shape = [_fields(dimension)[0].get(1, 0) for dimension in _fields(parts[2][0])[1].get(2, [])]
    dtype, count = DTYPES[numbers[1]], math.prod(shape)
    if numbers.get(3, 0) or numbers[5] != count * dtype.itemsize:
        raise ValueError("a tensor lies in another file")
    return np.frombuffer(data, dtype, count, numbers.get(4, 0)).reshape(shape)


def _fields(message: bytes) -> tuple[dict[int, int], dict[int, list[bytes]]]:
    """The fields of a protocol buffer by their number: integers, and what is given as bytes, which may come again."""
    numbers: dict[int, int] = {}
    parts: dict[int, list[bytes]] = {}
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        field, kind = tag >> 3, tag & 7
        if kind == 0:
            numbers[field], position = _varint(message, position)
        elif kind == 2:
            size, position = _varint(message, position)
            parts.setdefault(field, []).append(message[position : position + size])
            position += size
        else:
            size = {1: 8, 5: 4}[kind]
            numbers[field] = int.from_bytes(message[position : position + size], "little")
            position += size
    return numbers, parts


def _varint(content: bytes, position: int) -> tuple[int, int]:
    """An integer of seven bits a byte, lowest first, and the position after it."""
    value = shift = 0
    while True:
        byte = content[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position
