"""A directory whose disk hangs: whoever looks at it waits, until it is mended.

A FUSE file system over it that answers nothing but its own beginning. Who has opened files below it before
keeps them. Source: linux/fuse.h, fuse(4); when the device is closed, who waits is told ECONNABORTED.
"""

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_libc = ctypes.CDLL(None, use_errno=True)
_DEVICE: Final = "/dev/fuse"
_MNT_DETACH: Final = 2
_MOST_BYTES: Final = 1 << 18


@contextmanager
def hung_disk(place: Path) -> Iterator[None]:
    """Let a directory's disk hang until the block ends.

    Raises:
        OSError: It can't be mounted here.
    """
    device = os.open(_DEVICE, os.O_RDWR)
    try:
        options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other"
        if _libc.mount(b"hung", os.fsencode(place), b"fuse", 0, options.encode()) != 0:
            raise OSError(ctypes.get_errno(), "a disk that hangs can't be mounted", str(place))
        try:
            _begin(device)
            yield
        finally:
            _libc.umount2(os.fsencode(place), _MNT_DETACH)
    finally:
        os.close(device)


def _begin(device: int) -> None:
    """Answer FUSE_INIT with the kernel's own version and the least that it takes."""
    asked = os.read(device, _MOST_BYTES)
    (number,) = struct.unpack_from("<Q", asked, 8)
    major, minor = struct.unpack_from("<II", asked, 40)
    body = struct.pack("<IIIIHHIIHHI7I", major, minor, 0, 0, 0, 0, 65_536, 1, 0, 0, 0, *([0] * 7))
    os.write(device, struct.pack("<IiQ", 16 + len(body), 0, number) + body)
