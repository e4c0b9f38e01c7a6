"""A disk that is soon full."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import user


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """Return a folder of the server's on a disk with 24 MB of room."""
    folder, who = Path(tempfile.mkdtemp(prefix="maker-graph-small-")), user()
    owner = f"uid={who.pw_uid},gid={who.pw_gid}" if who else ""
    mount = ["/bin/mount", "-t", "tmpfs", "-o", f"size=24m,mode=700,{owner}", "none", str(folder)]
    if who is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        folder.rmdir()
        pytest.skip("only root can make a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", "-l", folder], check=True)
        folder.rmdir()
