"""Bodies that inflate to far more than they are, made without compressing all of it."""

import struct
import zlib
from collections.abc import Callable
from itertools import repeat
from typing import Final

MIB: Final = 1024 * 1024


def gzipped_zeros(mib: int) -> bytes:
    """So many MiB of zeros as gzip (RFC 1952)."""
    head = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    return head + _zeros(mib) + struct.pack("<II", _sum_of_zeros(zlib.crc32, mib, 0), mib * MIB)


def deflated_zeros(mib: int) -> bytes:
    """So many MiB of zeros as deflate (RFC 1950)."""
    return b"\x78\x9c" + _zeros(mib) + struct.pack(">I", _sum_of_zeros(zlib.adler32, mib, 1))


def _zeros(mib: int) -> bytes:
    """One MiB, compressed by itself, again and again."""
    press = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    piece = press.compress(bytes(MIB)) + press.flush(zlib.Z_FULL_FLUSH)
    return piece * mib + press.flush()


def _sum_of_zeros(add: Callable[[bytes, int], int], mib: int, total: int) -> int:
    for piece in repeat(bytes(MIB), mib):
        total = add(piece, total)
    return total
