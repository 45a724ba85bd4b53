#!/usr/bin/env python3
"""What the page cache holds of files: how much, all of it, none of it. Standard library only.

    python3 tools/page_cache.py FILE...                  # how much of each is there
    python3 tools/page_cache.py --drop FILE...
    python3 tools/page_cache.py --drop-behind FILE...    # again and again, until it is killed: what is read does not stay
"""

import argparse
import concurrent.futures
import ctypes
import mmap
import os
import sys
import time
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.mmap.restype = ctypes.c_void_p
LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
LIBC.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]
MAP_FAILED = ctypes.c_void_p(-1).value
PIECE = 16 << 20


def resident_bytes(file: Path) -> int:
    """Of whole pages; mincore() tells them."""
    size = file.stat().st_size
    if size == 0:
        return 0
    with file.open("rb") as opened:
        address = LIBC.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, opened.fileno(), 0)
    if address == MAP_FAILED:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(file))
    try:
        pages = ctypes.create_string_buffer((size + mmap.PAGESIZE - 1) // mmap.PAGESIZE)
        if LIBC.mincore(address, size, pages) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(file))
    finally:
        LIBC.munmap(address, size)
    there = pages.raw.translate(bytes(byte & 1 for byte in range(256))).count(1)
    return min(there * mmap.PAGESIZE, size)


def resident_share(files: list[Path]) -> float:
    return sum(map(resident_bytes, files)) / max(1, sum(file.stat().st_size for file in files))


def drop(files: list[Path]) -> None:
    """Clean pages that nobody has mapped go; what has not reached the disk is written there first."""
    for file in files:
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def drop_behind(files: list[Path]) -> None:
    """Until the process that started this one ends."""
    parent = os.getppid()
    opened = [file.open("rb") for file in files]
    print("ready", flush=True)
    while os.getppid() == parent:
        for one in opened:
            os.posix_fadvise(one.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        time.sleep(0.02)


def warm(files: list[Path]) -> None:
    """Reads what is not there."""
    def read(file: Path, begin: int) -> None:
        with file.open("rb", buffering=0) as opened:
            opened.seek(begin)
            opened.readinto(bytearray(min(PIECE, file.stat().st_size - begin)))

    cold = [file for file in files if resident_bytes(file) < file.stat().st_size]
    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(read, file, begin) for file in cold for begin in range(0, file.stat().st_size, PIECE)]:
            done.result()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--drop", action="store_true")
    parser.add_argument("--drop-behind", action="store_true")
    args = parser.parse_args()
    for file in args.files:
        if not file.is_file():
            sys.exit(f"error: there is no file {file}")
    if args.drop_behind:
        drop_behind(args.files)
        return
    if args.drop:
        drop(args.files)
    for file in args.files:
        print(f"{resident_share([file]):7.2%}  {file}")


if __name__ == "__main__":
    main()
