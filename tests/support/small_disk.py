"""Small disks for nodes' data, to be filled up and freed: tmpfs of a given size, mounted where
nobody but this process and its children sees it, so that nothing is left of it however they end.
Needs root; `why_not` says whether it works here. Used by tests/e2e/test_rules_disk.py and
testnet/chaos."""

import contextlib
import ctypes
import os
import shutil
import subprocess

CLONE_NEWNS = 0x20000
_libc = ctypes.CDLL(None, use_errno=True)


def why_not():
    """Why no disk can be mounted, or None. Mounts are this process's own from then on: to be asked
    before it has threads."""
    if _libc.unshare(CLONE_NEWNS) != 0:
        return f"no mounts of one's own: {os.strerror(ctypes.get_errno())}"
    done = subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True, text=True,
                          check=False)
    return done.stderr.strip() if done.returncode else None


class SmallDisk:
    """In place of a folder, with all that is in it. Nobody has it open."""

    def __init__(self, folder, mib):
        self.folder, before = folder, folder.with_name(f"{folder.name}.before")
        folder.rename(before)
        folder.mkdir(mode=0o700)
        options = f"size={mib}m,mode=700"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small-disk", folder], check=True)
        shutil.copytree(before, folder, dirs_exist_ok=True)
        shutil.rmtree(before)

    def fill(self):
        with contextlib.suppress(OSError), open(self.folder / "ballast", "ab", buffering=0) as file:
            while True:
                file.write(bytes(1 << 12))

    def free(self):
        (self.folder / "ballast").unlink(missing_ok=True)

    def drop(self):
        subprocess.run(["umount", self.folder], check=False)
