/* Ends a process that cannot end in time. */
#ifndef CLI_WATCHDOG_H
#define CLI_WATCHDOG_H

/* From now on the process has so long; then it ends at once, with status 0: what it has acknowledged is on disk, and
 * what it had not finished is in the queue of the store, as after a power failure. */
void watchdog_start(int ms);

#endif
