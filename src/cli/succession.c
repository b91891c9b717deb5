/* The file has one line: the running machine (a new one after every boot of it), the file itself, and the process's id. In a copy
 * of the data directory the file is another one: the process that it names may well be alive, where it was copied from. */
#include "cli/succession.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MACHINE = 36, PLACE = MACHINE + 1 + 16 + 1 + 16 + 1, LINE_MAX_BYTES = PLACE + ID_HEX + 1 };

/* An advisory lock says something about processes of one machine only: others may share the directory over a network. */
static bool machine_read(char out[MACHINE + 1])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, out, MACHINE) : -1;
    if (fd >= 0)
        close(fd);
    out[n == MACHINE ? MACHINE : 0] = 0;
    return n == MACHINE;
}

/* "<machine> <device> <inode> " */
static bool place_of(int fd, char out[PLACE + 1])
{
    char machine[MACHINE + 1];
    struct stat st;
    return machine_read(machine) && !fstat(fd, &st)
           && snprintf(out, PLACE + 1, "%s %016llx %016llx ", machine, (unsigned long long)st.st_dev, (unsigned long long)st.st_ino) == PLACE;
}

static struct id predecessor_of(int fd, const char *place)
{
    char line[LINE_MAX_BYTES + 1];
    struct id id = {{0}};
    ssize_t n = pread(fd, line, LINE_MAX_BYTES, 0);
    if (n != LINE_MAX_BYTES || memcmp(line, place, PLACE) || !id_parse((struct str){line + PLACE, ID_HEX}, &id))
        return (struct id){{0}};
    return id;
}

struct succession succession_begin(const char *path, struct id boot)
{
    struct succession s = {.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    char place[PLACE + 1], hex[ID_HEX + 1], line[LINE_MAX_BYTES + 1];
    if (s.fd < 0)
        return s;
    if (!place_of(s.fd, place) || flock(s.fd, LOCK_EX | LOCK_NB)) {
        succession_end(&s);
        return s;
    }
    s.predecessor = predecessor_of(s.fd, place);
    id_hex(boot, hex);
    snprintf(line, sizeof line, "%s%s\n", place, hex);
    if (pwrite(s.fd, line, LINE_MAX_BYTES, 0) != LINE_MAX_BYTES)
        (void)!ftruncate(s.fd, 0);              /* the next one knows of nobody */
    return s;
}

void succession_end(struct succession *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}
