"""Small and read-only disks: a tmpfs in a mount namespace of its own, seen by the program under test alone."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOLD = 'mount -t tmpfs -o "$2" tmpfs "$1" && echo mounted && exec cat'


class Mount:
    """A mounted tmpfs at `path`. `inside` is what to put before a command that shall see it, `seen` where we see it."""

    def __init__(self, path: Path, holder: subprocess.Popen[str]) -> None:
        self.path = path
        self.seen = Path(f"/proc/{holder.pid}/root{path}")
        self.inside = ["nsenter", "-t", str(holder.pid), "-U", "-m", "--preserve-credentials"]
        self._ballast = self.seen / "ballast"

    def remount(self, options: str) -> None:
        """Change its options, while it is in use."""
        command = [*self.inside, "mount", "-o", f"remount,{options}", str(self.path)]
        subprocess.run(command, check=True, capture_output=True)

    def seal(self, below: str) -> None:
        """Make a folder read-only by a mount of its own: a disk with files open for writing cannot be remounted."""
        place = f"{self.path}/{below}"
        for command in (["mount", "--bind", place, place], ["mount", "-o", "remount,bind,ro", place]):
            subprocess.run([*self.inside, *command], check=True, capture_output=True)

    def unseal(self, below: str) -> None:
        """Take that mount away."""
        subprocess.run([*self.inside, "umount", f"{self.path}/{below}"], check=True, capture_output=True)

    def fill(self) -> None:
        """Use up every byte that is left."""
        with self._ballast.open("wb", buffering=0) as ballast:
            try:
                while ballast.write(bytes(1 << 16)):
                    pass
            except OSError:
                return

    def relieve(self) -> None:
        """Give them back."""
        self._ballast.unlink()


def hindrance() -> str:
    """Why no such disk can be had here, or nothing."""
    missing = [tool for tool in ("unshare", "nsenter", "mount") if shutil.which(tool) is None]
    if missing:
        return f"{', '.join(missing)} not installed"
    tried = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", "mount -t tmpfs tmpfs /mnt"], capture_output=True, text=True, check=False
    )
    return "" if tried.returncode == 0 else f"no mount namespace for this user: {tried.stderr.strip()}"


@contextmanager
def tmpfs(path: Path, options: str) -> Iterator[Mount]:
    """A tmpfs over the empty folder `path` until the block ends."""
    path.mkdir(mode=0o700)
    holder = subprocess.Popen(
        ["unshare", "-Urm", "sh", "-c", HOLD, "sh", str(path), f"mode=0700,{options}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "mounted\n"
        yield Mount(path, holder)
    finally:
        holder.stdin.close()
        holder.wait(10)
        holder.stdout.close()
