/* Who was here before us. A process that is killed leaves what it had begun to its lease, a minute at most (engine/claims.c).
 * One that starts in its place, in the same data directory and on the same running machine, knows that it is dead, and need not
 * wait. Where that cannot be known, nothing is lost but time.
 */
#ifndef CLI_SUCCESSION_H
#define CLI_SUCCESSION_H

#include "base/id.h"

struct succession {
    int fd;                     /* held as long as the process lives; -1: the directory is another process's, too */
    struct id predecessor;      /* zero: none is known */
};

/* path: a file in the data directory. Names boot as the next one's predecessor. */
struct succession succession_begin(const char *path, struct id boot);
void succession_end(struct succession *s);

#endif
