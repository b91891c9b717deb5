/* The file has one line: the running machine (a new one after every boot of it) and the process's id. */
#include "cli/succession.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { MACHINE = 36, LINE_MAX_BYTES = MACHINE + 1 + ID_HEX + 1 };

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

static struct id predecessor_of(int fd, const char *machine)
{
    char line[LINE_MAX_BYTES + 1];
    struct id id = {{0}};
    ssize_t n = pread(fd, line, LINE_MAX_BYTES, 0);
    if (n != LINE_MAX_BYTES || memcmp(line, machine, MACHINE) || !id_parse((struct str){line + MACHINE + 1, ID_HEX}, &id))
        return (struct id){{0}};
    return id;
}

struct succession succession_begin(const char *path, struct id boot)
{
    struct succession s = {.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
    char machine[MACHINE + 1], hex[ID_HEX + 1], line[LINE_MAX_BYTES + 1];
    if (s.fd < 0)
        return s;
    if (!machine_read(machine) || flock(s.fd, LOCK_EX | LOCK_NB)) {
        succession_end(&s);
        return s;
    }
    s.predecessor = predecessor_of(s.fd, machine);
    id_hex(boot, hex);
    snprintf(line, sizeof line, "%s %s\n", machine, hex);
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
