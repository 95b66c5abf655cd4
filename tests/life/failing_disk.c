/* A disk that fails to read some bytes of one file, for the process that this is loaded into.
 * FAILING_FILE is its path; reads that touch bytes from FAILING_FROM up to FAILING_TO fail. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int fails(int fd, off_t at, size_t length)
{
    char link[64], path[4096];
    const char *file = getenv("FAILING_FILE");
    ssize_t got;

    if (file == NULL)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    got = readlink(link, path, sizeof path - 1);
    if (got < 0)
        return 0;
    path[got] = 0;
    if (strcmp(path, file) != 0)
        return 0;
    return at < atoll(getenv("FAILING_TO")) && at + (off_t)length > atoll(getenv("FAILING_FROM"));
}

#define FAILED() do { errno = EIO; return -1; } while (0)

#define PREAD(name)                                                                            \
    ssize_t name(int fd, void *to, size_t length, off_t at)                                    \
    {                                                                                          \
        static ssize_t (*real)(int, void *, size_t, off_t);                                    \
        if (!real)                                                                             \
            real = dlsym(RTLD_NEXT, #name);                                                    \
        if (fails(fd, at, length))                                                             \
            FAILED();                                                                          \
        return real(fd, to, length, at);                                                       \
    }

PREAD(pread)
PREAD(pread64)

ssize_t read(int fd, void *to, size_t length)
{
    static ssize_t (*real)(int, void *, size_t);
    off_t at = lseek(fd, 0, SEEK_CUR);

    if (!real)
        real = dlsym(RTLD_NEXT, "read");
    if (at >= 0 && fails(fd, at, length))
        FAILED();
    return real(fd, to, length);
}
