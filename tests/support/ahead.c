/* The system's clock plus the seconds in the file that CLOCK_AHEAD names: preloaded into a server under test, so that days pass. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *at) {
    if (syscall(SYS_clock_gettime, clock, at) != 0) return -1;
    const char *name = clock == CLOCK_REALTIME ? getenv("CLOCK_AHEAD") : NULL;
    int before = errno, file = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (file >= 0) {
        char text[32] = {0};
        if (read(file, text, sizeof text - 1) > 0) at->tv_sec += strtol(text, NULL, 10);
        close(file);
    }
    errno = before;
    return 0;
}
