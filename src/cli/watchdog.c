/* Ends a process that cannot end in time: a disk or a name server that hangs must not hold up an operator. */
#include "cli/watchdog.h"

#include <pthread.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

static void *watch(void *arg)
{
    int ms = (int)(intptr_t)arg;
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left)) {}
    log_warn("stopped before everything was finished; the next start goes on with it", NULL);
    _exit(0);
}

void watchdog_start(int ms)
{
    pthread_t thread;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 64 * 1024);
    if (pthread_create(&thread, &attr, watch, (void *)(intptr_t)ms))
        log_warn("no thread to watch over the end", NULL);
    pthread_attr_destroy(&attr);
}
