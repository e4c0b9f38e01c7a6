"""Disks that are full, or take no writes, without one."""

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

NOBODY = 65534


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file may be larger than `size` bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@contextmanager
def everybodys_folder() -> Iterator[Path]:
    """Yield a folder that everybody can go into; the one of pytest is for its owner alone."""
    with TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


@contextmanager
def read_only(directory: Path) -> Iterator[None]:
    """Take all right to write away, as a disk does that is mounted to be read; root has it regardless, so be nobody."""
    paths = [*directory.iterdir(), directory]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for path in paths:
            path.chmod(0o700 if path.is_dir() else 0o600)
