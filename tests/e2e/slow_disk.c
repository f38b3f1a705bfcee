/* A disk that is slow: put before a program with LD_PRELOAD, it makes every write to a regular file, and
   every wait for the disk, take 50 ms longer. SLOW_DISK_LOG gets a byte for each. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static void wait_for_the_disk(int descriptor)
{
    struct stat file;
    if (fstat(descriptor, &file) != 0 || !S_ISREG(file.st_mode))
        return;
    int log = open(getenv("SLOW_DISK_LOG"), O_WRONLY | O_APPEND);
    syscall(SYS_write, log, "w", 1);
    close(log);
    struct timespec pause = {0, 50 * 1000 * 1000};
    nanosleep(&pause, NULL);
}

ssize_t write(int descriptor, const void *bytes, size_t length)
{
    wait_for_the_disk(descriptor);
    return syscall(SYS_write, descriptor, bytes, length);
}

ssize_t writev(int descriptor, const struct iovec *pieces, int count)
{
    wait_for_the_disk(descriptor);
    return syscall(SYS_writev, descriptor, pieces, count);
}

int fsync(int descriptor)
{
    wait_for_the_disk(descriptor);
    return syscall(SYS_fsync, descriptor);
}

int fdatasync(int descriptor)
{
    wait_for_the_disk(descriptor);
    return syscall(SYS_fdatasync, descriptor);
}
