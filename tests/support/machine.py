"""What a program believes of its machine, set while it runs: a wall clock that is wrong, syncs of
files that take long or fail: by functions that it finds before the C library's."""

import os
import pathlib
import shutil
import struct
import subprocess

from mesh import GRAPEVINE

SOURCE = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
struct machine { int64_t ahead_s, sync_us, sync_errno; };
static const struct machine as_it_is;
static const volatile struct machine *machine = &as_it_is;
__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("MACHINE");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *page = fd >= 0 ? mmap(NULL, sizeof *machine, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (page != MAP_FAILED)
        machine = page;
    if (fd >= 0)
        close(fd);
}
int clock_gettime(clockid_t id, struct timespec *now)
{
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, now);
    if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
        now->tv_sec += machine->ahead_s;
    return result;
}
int gettimeofday(struct timeval *now, void *zone)
{
    int (*real)(struct timeval *, void *) = dlsym(RTLD_NEXT, "gettimeofday");
    int result = real(now, zone);
    now->tv_sec += machine->ahead_s;
    return result;
}
time_t time(time_t *ret)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}
static int sync_by(const char *name, int fd)
{
    int (*real)(int) = dlsym(RTLD_NEXT, name);
    usleep(machine->sync_us);
    errno = machine->sync_errno;
    return errno ? -1 : real(fd);
}
int fsync(int fd)
{
    return sync_by("fsync", fd);
}
int fdatasync(int fd)
{
    return sync_by("fdatasync", fd);
}
"""


class Machine:
    """`env`: of a program on it."""

    def __init__(self, folder, name):
        self.path = pathlib.Path(folder) / f"{name}.machine"
        self.path.write_bytes(bytes(24))
        self.env = {"LD_PRELOAD": preload(folder), "MACHINE": str(self.path)}

    def set(self, ahead_s=0, sync_s=0, sync_errno=0):
        """The rest is as it should be."""
        with open(self.path, "r+b") as file:  # in place: it is mapped
            file.write(struct.pack("=qqq", int(ahead_s), int(sync_s * 1e6), sync_errno))


def why_not():
    """Why there can be none here, or None."""
    return None if shutil.which("gcc") else "no gcc to make a machine with"


def preload(folder):
    library = pathlib.Path(folder) / "machine.so"
    if not library.exists():
        subprocess.run(["gcc", "-x", "c", "-", "-shared", "-fPIC", "-o", library, "-ldl"],
                       input=SOURCE, text=True, check=True)
    libraries = [str(library)]
    if b"__asan_init" in pathlib.Path(GRAPEVINE).read_bytes():  # it wants to be the first
        found = subprocess.run(["gcc", "-print-file-name=libasan.so"], capture_output=True,
                               text=True, check=True)
        libraries.insert(0, os.path.realpath(found.stdout.strip()))
    return ":".join(libraries)
