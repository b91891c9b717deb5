/* SMTP against a real server on loopback: what arrives, and what each failure becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/crypto.h"
#include "delivery/smtp_settings.h"
#include "deliver.h"
#include "../../support/sink.h"

struct world {
    struct desk desk;
    struct dispatcher *d;
    struct sink *sink;
    struct attempt *t;
    struct arena *arena;
};

static int world_open(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct dispatcher_config c = {0};
    struct error err = {0};
    w->desk = (struct desk)DESK_INIT;
    w->arena = arena_create(0);
    w->d = dispatcher_start(&c, &err);
    *state = w;
    return w->d ? 0 : -1;
}

static int world_close(void **state)
{
    struct world *w = *state;
    dispatcher_stop(w->d, 0);
    sink_stop(w->sink);
    if (w->t)
        arena_destroy(w->t->arena);
    arena_destroy(w->arena);
    free(w);
    return 0;
}

/* A sink with these flags, and an attempt at it with these further credentials (", …" or ""). */
#define WORLD_SINK(w, more, ...) \
    do { \
        (w)->sink = SINK_START("smtp_sink.py" __VA_OPT__(,) __VA_ARGS__); \
        assert_true((w)->sink->port > 0); \
        (w)->t = world_attempt(w, more); \
    } while (0)

static struct attempt *world_attempt(struct world *w, const char *more)
{
    struct str c = str_fmt(w->arena, "{\"host\":\"127.0.0.1\",\"port\":%d%s}", w->sink->port, more);
    return attempt_new(&w->desk, "nodemailer", c);
}

static void assert_path(yyjson_val *v, const char *path, const char *want)
{
    struct str got = json_str(json_path(v, str_of(path)));
    if (!str_eqz(got, want))
        fail_msg("%s is '%.*s', want '%s'", path, STR_ARG(got), want);
}

static struct str header_of(yyjson_val *line, const char *name)
{
    size_t i, n;
    yyjson_val *pair;
    yyjson_arr_foreach(json_path(line, STR("parsed.headers")), i, n, pair)
        if (str_eqz(json_str(yyjson_arr_get(pair, 0)), name))
            return json_str(yyjson_arr_get(pair, 1));
    return STR_NULL;
}

static struct str raw_of(struct arena *a, yyjson_val *line)
{
    struct str raw = STR_NULL;
    assert_true(base64_decode(a, json_get_str(line, "raw"), &raw));
    return raw;
}

/* What every message must be, whatever is in it. */
static void assert_well_formed(yyjson_val *line)
{
    yyjson_val *parsed = json_get(line, "parsed");
    assert_non_null(parsed);
    assert_int_equal(yyjson_arr_size(json_get(parsed, "defects")), 0);
    assert_int_equal(json_get_int(parsed, "bare_newlines", -1), 0);
    assert_true(json_get_int(parsed, "longest_line", 10000) <= 998);
}

static yyjson_val *send_and_receive(struct world *w)
{
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_SENT);
    yyjson_val *line = sink_next(w->sink, w->arena);
    assert_well_formed(line);
    return line;
}

/* --- what arrives --- */

static void plain_mail_arrives(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, "");
    yyjson_val *line = send_and_receive(w);
    assert_text(w->t->result.message_id, "<key-1@acme.io>");
    assert_text(w->t->result.response, "250 2.0.0 queued as 1");
    assert_int_equal(w->t->result.error.n, 0);
    assert_path(line, "mail_from", "hello@acme.io");
    assert_path(line, "rcpt_tos.0", "ada@example.com");
    assert_path(line, "parsed.subject", "Hi");
    assert_path(line, "parsed.from.0.name", "Acme");
    assert_path(line, "parsed.from.0.email", "hello@acme.io");
    assert_path(line, "parsed.structure", "multipart/alternative(text/plain,text/html)");
    assert_path(line, "parsed.parts.0.text", "Hi\r\n");
    assert_path(line, "parsed.parts.0.encoding", "7bit");
    assert_path(line, "parsed.parts.1.text", "<p>Hi</p>\r\n");
    assert_text(header_of(line, "Message-ID"), "<key-1@acme.io>");
    assert_has(header_of(line, "Date"), " +0000");
    assert_false(json_get_bool(line, "tls", true));
    assert_true(yyjson_is_null(json_get(line, "auth")));
    /* The order of the capture in the specification. */
    struct str raw = raw_of(w->arena, line);
    static const char *const order[] = {"From: ", "\r\nTo: ", "\r\nSubject: ", "\r\nMessage-ID: ", "\r\nDate: ",
                                        "\r\nMIME-Version: 1.0", "\r\nContent-Type: "};
    ptrdiff_t last = -1;
    for (size_t i = 0; i < sizeof order / sizeof *order; i++) {
        ptrdiff_t at = str_find(raw, str_of(order[i]));
        assert_true(at > last);
        last = at;
    }
}

static void message_id_is_stable_and_safe(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, "");
    w->t->delivery.idempotency_key = STR("run 1/step>\r\nX: y");
    send_and_receive(w);
    struct str first = str_dup(w->arena, w->t->result.message_id);
    assert_true(str_ends(first, STR("@acme.io>")));
    assert_int_equal(first.n, 64 + 10);
    arena_destroy(w->t->arena);
    w->t = world_attempt(w, "");
    w->t->delivery.idempotency_key = STR("run 1/step>\r\nX: y");
    send_and_receive(w);
    assert_true(str_eq(first, w->t->result.message_id));
}

static void all_recipients_get_it_and_bcc_is_secret(void **state)
{
    struct world *w = *state;
    static const struct delivery_address to[] = {{STR("Ada, \"Countess\""), STR("ada@example.com")}, {STR("J\xc3\xbcrgen"), STR("j@example.org")}};
    static const struct delivery_address cc[] = {{STR_NULL, STR("cc@example.net")}, {STR_NULL, STR("ada@example.com")}};
    static const struct delivery_address bcc[] = {{STR_NULL, STR("secret@example.net")}};
    static const struct delivery_address reply[] = {{STR("Support"), STR("help@acme.io")}};
    WORLD_SINK(w, "");
    struct delivery_email *e = &w->t->email;
    e->to = to, e->to_n = 2, e->cc = cc, e->cc_n = 2, e->bcc = bcc, e->bcc_n = 1, e->reply_to = reply, e->reply_to_n = 1;
    yyjson_val *line = send_and_receive(w);
    assert_int_equal(yyjson_arr_size(json_get(line, "rcpt_tos")), 4);
    assert_path(line, "rcpt_tos.3", "secret@example.net");
    assert_path(line, "parsed.to.0.name", "Ada, \"Countess\"");
    assert_path(line, "parsed.to.1.name", "J\xc3\xbcrgen");
    assert_path(line, "parsed.cc.0.email", "cc@example.net");
    assert_path(line, "parsed.reply_to.0.email", "help@acme.io");
    assert_lacks(raw_of(w->arena, line), "secret@");
    assert_lacks(raw_of(w->arena, line), "Bcc");
}

static void without_to_the_recipients_are_undisclosed(void **state)
{
    struct world *w = *state;
    static const struct delivery_address bcc[] = {{STR_NULL, STR("secret@example.net")}};
    WORLD_SINK(w, "");
    w->t->email.to_n = 0;
    w->t->email.bcc = bcc, w->t->email.bcc_n = 1;
    yyjson_val *line = send_and_receive(w);
    assert_text(header_of(line, "To"), "undisclosed-recipients:;");
    assert_path(line, "rcpt_tos.0", "secret@example.net");
}

static void unicode_survives_everywhere(void **state)
{
    struct world *w = *state;
    static const char subject[] = "Gr\xc3\xbc\xc3\x9f" "e aus M\xc3\xbcnchen \xf0\x9f\x94\x94 \xe4\xbd\xa0\xe5\xa5\xbd\xef\xbc\x8c\xe4\xb8\x96\xe7\x95\x8c "
        "und noch viel mehr Text, der gefaltet werden muss \xe2\x80\x94 wirklich!";
    static const char text[] = "na\xc3\xafve = 100%\r\n.\r\n..\r\nFrom here\r\ntrailing \t\r\n\xf0\x9f\x98\x80";
    WORLD_SINK(w, "");
    w->t->email.from.name = STR("Caf\xc3\xa9 \xe2\x98\x95 (Paris)");
    w->t->email.subject = str_of(subject);
    w->t->email.text = str_of(text);
    w->t->email.html = STR("<p>.\n.\n\xc3\xa9</p>\n\n");
    yyjson_val *line = send_and_receive(w);
    assert_path(line, "parsed.subject", subject);
    assert_path(line, "parsed.from.0.name", "Caf\xc3\xa9 \xe2\x98\x95 (Paris)");
    struct str got = json_str(json_path(line, STR("parsed.parts.0.text")));
    assert_true(str_eq(got, str_fmt(w->arena, "%s\r\n", text)));
    assert_path(line, "parsed.parts.0.encoding", "quoted-printable");
    assert_path(line, "parsed.parts.1.text", "<p>.\r\n.\r\n\xc3\xa9</p>\r\n\r\n");
    assert_true(json_get_int(json_get(line, "parsed"), "longest_line", 0) <= 78);
}

/* A dot at the beginning of a line, also at the edges of libcurl's buffers. */
static void dots_survive(void **state)
{
    struct world *w = *state;
    struct buf b = {.arena = w->arena};
    WORLD_SINK(w, "");
    for (int i = 0; i < 60000; i++)
        buf_z(&b, i % 7 ? ".\r\n" : "..x\r\n");
    w->t->email.text = buf_get(&b);
    yyjson_val *line = send_and_receive(w);
    assert_true(str_eq(json_str(json_path(line, STR("parsed.parts.0.text"))), buf_get(&b)));
}

static void long_lines_are_wrapped(void **state)
{
    struct world *w = *state;
    struct buf b = {.arena = w->arena};
    WORLD_SINK(w, "");
    for (int i = 0; i < 5000; i++)
        buf_z(&b, "word ");
    w->t->email.html = buf_get(&b);
    w->t->email.text = STR_NULL;
    w->t->email.subject = str_sub(buf_get(&b), 0, 3000);
    yyjson_val *line = send_and_receive(w);
    assert_path(line, "parsed.structure", "text/html");
    struct str got = json_str(json_path(line, STR("parsed.parts.0.text")));
    assert_int_equal(got.n, b.n + 2);
    assert_true(json_get_int(json_get(line, "parsed"), "longest_line", 0) <= 78);
    assert_int_equal(json_str(json_path(line, STR("parsed.subject"))).n, 2999);
}

static void attachments_and_inline_images_arrive(void **state)
{
    struct world *w = *state;
    char bytes[100000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    struct delivery_attachment files[] = {
        {STR("logo.png"), STR("image/png"), {bytes, 57 * 3}, STR("logo@acme")},
        {STR("Rechnung \xe2\x84\x96 7 \xe2\x80\x93 \xc3\xbc" "ber alles, was in einem sehr langen Dateinamen steht.pdf"), STR("application/pdf"), {bytes, sizeof bytes}, STR_NULL},
        {STR("no \"quotes\".txt"), STR("not a type\r\nX: y"), {bytes, 1}, STR_NULL},
        {STR("leer.txt"), STR("text/plain; charset=utf-8"), STR_NULL, STR_NULL},
    };
    WORLD_SINK(w, "");
    w->t->email.attachments = files;
    w->t->email.attachments_n = 4;
    yyjson_val *line = send_and_receive(w);
    assert_path(line, "parsed.structure",
                "multipart/mixed(multipart/alternative(text/plain,multipart/related(text/html,image/png)),"
                "application/pdf,application/octet-stream,text/plain)");
    assert_path(line, "parsed.parts.2.cid", "<logo@acme>");
    assert_path(line, "parsed.parts.2.disposition", "inline");
    assert_path(line, "parsed.parts.2.sha256", crypto_sha256_hex(w->arena, files[0].content).p);
    assert_path(line, "parsed.parts.3.filename", files[1].name.p);
    assert_path(line, "parsed.parts.3.disposition", "attachment");
    assert_path(line, "parsed.parts.3.sha256", crypto_sha256_hex(w->arena, files[1].content).p);
    assert_path(line, "parsed.parts.4.filename", "no \"quotes\".txt");
    assert_path(line, "parsed.parts.4.sha256", crypto_sha256_hex(w->arena, files[2].content).p);
    assert_int_equal(json_get_int(json_path(line, STR("parsed.parts.5")), "size", -1), 0);
    assert_true(json_get_int(json_get(line, "parsed"), "longest_line", 0) <= 78);
}

static void custom_headers_are_written(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, "");
    w->t->email.headers = json_of(w->arena, STR("{\"X-Tag\":\"welcome\",\"List-Unsubscribe\":\"<https://acme.io/u?id=1>\",\"X-Name\":\"J\xc3\xbcrgen\",\"X-Priority\":1}"));
    yyjson_val *line = send_and_receive(w);
    assert_text(header_of(line, "X-Tag"), "welcome");
    assert_text(header_of(line, "X-Name"), "J\xc3\xbcrgen");
    assert_text(header_of(line, "X-Priority"), "1");
    assert_text(header_of(line, "List-Unsubscribe"), "<https://acme.io/u?id=1>");
}

static void subject_cannot_inject(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, "");
    w->t->email.subject = STR("Hi\r\nBcc: evil@example.com\r\n\r\nbody");
    w->t->email.from.name = STR("A\r\nX-Evil: 1");
    yyjson_val *line = send_and_receive(w);
    assert_path(line, "parsed.subject", "Hi Bcc: evil@example.com body");
    assert_int_equal(header_of(line, "Bcc").n, 0);
    assert_int_equal(header_of(line, "X-Evil").n, 0);
    assert_int_equal(yyjson_arr_size(json_get(line, "rcpt_tos")), 1);
}

static void sender_falls_back_to_the_credentials(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, ",\"from\":\"office@acme.io\",\"senderName\":\"Office\"");
    w->t->email.from = (struct delivery_address){0};
    yyjson_val *line = send_and_receive(w);
    assert_path(line, "parsed.from.0.email", "office@acme.io");
    assert_path(line, "parsed.from.0.name", "Office");
    assert_path(line, "mail_from", "office@acme.io");
}

static void international_addresses(void **state)
{
    struct world *w = *state;
    static const struct delivery_address to[] = {{STR("Gr\xc3\xbc\xc3\x9f"), STR("j\xc3\xbcrgen@b\xc3\xbc" "cher.example")}};
    WORLD_SINK(w, "");
    w->t->email.to = to;
    yyjson_val *line = send_and_receive(w);
    assert_path(line, "rcpt_tos.0", "j\xc3\xbcrgen@xn--bcher-kva.example");
    assert_has(json_write(w->arena, json_get(line, "mail_options")), "SMTPUTF8");
    assert_has(raw_of(w->arena, line), "<j\xc3\xbcrgen@xn--bcher-kva.example>");
}

/* --- keys and certificates made for this run --- */

static void run(const char *command)
{
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

static struct str file_read(struct arena *a, const char *path)
{
    struct buf b = {.arena = a};
    char chunk[4096];
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f));)
        buf_add(&b, chunk, n);
    fclose(f);
    return buf_finish(&b);
}

static struct str json_text(struct arena *a, struct str s)
{
    struct buf b = {.arena = a};
    json_quote(&b, s);
    return buf_finish(&b);
}

static void dkim_signature_verifies(void **state)
{
    struct world *w = *state;
    char dir[] = "/tmp/carillon-dkim-XXXXXX", pub[64];
    assert_non_null(mkdtemp(dir));
    run(str_fmt(w->arena, "cd %s && openssl genrsa -out key.pem 2048 2>/dev/null && openssl rsa -in key.pem -pubout -out pub.pem 2>/dev/null", dir).p);
    struct str key = file_read(w->arena, str_fmt(w->arena, "%s/key.pem", dir).p);
    snprintf(pub, sizeof pub, "%s/pub.pem", dir);
    struct str quoted = json_text(w->arena, key);
    struct str more = str_fmt(w->arena, ",\"domain\":\"acme.io\",\"accountSid\":\"mail\",\"secretKey\":%.*s", STR_ARG(quoted));
    WORLD_SINK(w, more.p, "--dkim-public-key", pub);
    struct delivery_attachment file = {STR("a.bin"), STR("application/octet-stream"), {pub, sizeof pub}, STR_NULL};
    w->t->email.attachments = &file;
    w->t->email.attachments_n = 1;
    w->t->email.subject = STR("Sign  me   \xc3\xbc" "ber and over and over and over and over and over and over again");
    w->t->email.text = STR("two  spaces \t and trailing  \n\n\n");
    w->t->email.headers = json_of(w->arena, STR("{\"List-Id\":\"x\",\"In-Reply-To\":\"<a@b>\"}"));
    yyjson_val *line = send_and_receive(w);
    assert_path(line, "dkim", "pass");
    struct str raw = raw_of(w->arena, line);
    assert_true(str_starts(raw, STR("DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n d=acme.io; q=dns/txt;\r\n s=mail;")));
    /* The same key entered on one line, and a body that is empty. */
    struct buf one = {.arena = w->arena};
    for (size_t i = 0; i < key.n; i++)
        buf_z(&one, key.p[i] == '\n' ? "\\n" : (char[]){key.p[i], 0});
    quoted = json_text(w->arena, buf_get(&one));
    more = str_fmt(w->arena, ",\"domain\":\"acme.io\",\"accountSid\":\"mail\",\"secretKey\":%.*s", STR_ARG(quoted));
    arena_destroy(w->t->arena);
    w->t = world_attempt(w, more.p);
    w->t->email.html = STR_NULL;
    w->t->email.text = STR("\n\n");
    assert_path(send_and_receive(w), "dkim", "pass");
    run(str_fmt(w->arena, "rm -r %s", dir).p);
}

static void unusable_dkim_key_fails(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, ",\"domain\":\"acme.io\",\"accountSid\":\"mail\",\"secretKey\":\"no key\"");
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_FAILED);
    assert_text(w->t->result.error, "DKIM private key is not an unencrypted RSA key in PEM format.");
}

/* --- TLS and authentication --- */

static void starttls_is_used_when_offered(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, ",\"tlsOptions\":\"{\\\"rejectUnauthorized\\\":false}\"", "--tls", "starttls");
    assert_true(json_get_bool(send_and_receive(w), "tls", false));
}

static void ignore_tls_stays_plain(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, ",\"ignoreTls\":true", "--tls", "starttls");
    assert_false(json_get_bool(send_and_receive(w), "tls", true));
}

static void certificates_are_checked(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, ",\"requireTls\":true", "--tls", "starttls");
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_RETRY);
    assert_has(w->t->result.error, "certificate");
    arena_destroy(w->t->arena);
    sink_stop(w->sink);
    WORLD_SINK(w, ",\"secure\":true", "--tls", "implicit");
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_RETRY);
    assert_has(w->t->result.error, "certificate");
}

static void a_given_authority_is_trusted(void **state)
{
    struct world *w = *state;
    char dir[] = "/tmp/carillon-tls-XXXXXX", cert[64], key[64];
    assert_non_null(mkdtemp(dir));
    run(str_fmt(w->arena, "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=mail.acme.io -addext "
                "subjectAltName=DNS:mail.acme.io -keyout key.pem -out cert.pem 2>/dev/null", dir).p);
    snprintf(cert, sizeof cert, "%s/cert.pem", dir);
    snprintf(key, sizeof key, "%s/key.pem", dir);
    struct str pem = json_text(w->arena, file_read(w->arena, cert));
    struct str with = str_fmt(w->arena, ",\"secure\":true,\"tlsOptions\":{\"ca\":%.*s,\"servername\":\"mail.acme.io\"}", STR_ARG(pem));
    struct str wrong = str_fmt(w->arena, ",\"secure\":true,\"tlsOptions\":{\"ca\":%.*s,\"servername\":\"other.acme.io\"}", STR_ARG(pem));
    WORLD_SINK(w, with.p, "--tls", "implicit", "--cert", cert, "--key", key);
    assert_true(json_get_bool(send_and_receive(w), "tls", false));
    arena_destroy(w->t->arena);
    w->t = world_attempt(w, wrong.p);
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_RETRY);
    arena_destroy(w->t->arena);
    /* The kept connection above was checked against that authority; one without it must not ride on it. */
    w->t = world_attempt(w, ",\"secure\":true,\"tlsOptions\":{\"servername\":\"mail.acme.io\"}");
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_RETRY);
    run(str_fmt(w->arena, "rm -r %s", dir).p);
}

static void required_starttls_that_is_not_offered_fails(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, "");
    send_and_receive(w);                /* leaves a plain connection, which must not be taken */
    arena_destroy(w->t->arena);
    w->t = world_attempt(w, ",\"requireTls\":true");
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_FAILED);
    assert_text(w->t->result.error, "The SMTP server does not offer STARTTLS, which this integration requires.");
}

static void unchecked_tls_is_not_shared_with_checked(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, ",\"tlsOptions\":{\"rejectUnauthorized\":false}", "--tls", "starttls");
    send_and_receive(w);
    arena_destroy(w->t->arena);
    w->t = world_attempt(w, "");
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_RETRY);
    assert_has(w->t->result.error, "certificate");
}

#define AUTH ",\"user\":\"carla\",\"password\":\"s3cret pass\""

static void authenticates(void **state)
{
    static const char *const mechanisms[] = {"PLAIN,LOGIN", "LOGIN", "CRAM-MD5", "CRAM-MD5,PLAIN"};
    struct world *w = *state;
    for (size_t i = 0; i < 4; i++) {
        WORLD_SINK(w, AUTH, "--auth", "carla:s3cret pass", "--auth-mechanisms", mechanisms[i]);
        assert_path(send_and_receive(w), "auth", "carla");
        arena_destroy(w->t->arena);
        sink_stop(w->sink);
        w->t = NULL;
        w->sink = NULL;
    }
}

static void wrong_password_fails(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, ",\"user\":\"carla\",\"password\":\"wrong one\"", "--auth", "carla:right");
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_FAILED);
    assert_has(w->t->result.error, "refused the authentication: 535 ");
}

static void temporary_auth_failure_is_retried(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, AUTH, "--auth", "carla:s3cret pass", "--reply-auth", "454 4.7.0 Temporary authentication failure");
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_RETRY);
}

static void secrets_in_answers_are_masked(void **state)
{
    struct world *w = *state;
    struct str both = base64_encode(w->arena, (struct str){"\0carla\0s3cret pass", 18});
    struct str reply = str_fmt(w->arena, "550 no: s3cret pass %.*s", STR_ARG(both));
    WORLD_SINK(w, AUTH, "--auth", "carla:s3cret pass", "--reply-mail", reply.p);
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_FAILED);
    assert_text(w->t->result.error, "The SMTP server refused the sender: 550 no: *** ***");
    assert_text(w->t->result.response, "550 no: *** ***");
}

/* --- what failures become --- */

struct answer_case {
    const char *flag, *value;
    enum delivery_outcome outcome;
    const char *error;
};

static void replies_map_to_outcomes(void **state)
{
    static const struct answer_case cases[] = {
        {"--reply-connect", "421 4.7.0 too many connections", DELIVERY_RETRY,
         "The SMTP server refused the connection: 421 4.7.0 too many connections"},
        {"--reply-connect", "554 5.7.1 go away", DELIVERY_FAILED, "The SMTP server refused the connection: 554 5.7.1 go away"},
        {"--reply-mail", "421 4.3.2 going down", DELIVERY_RETRY, "The SMTP server refused the sender: 421 4.3.2 going down"},
        {"--reply-mail", "553 5.1.8 who are you", DELIVERY_FAILED, "The SMTP server refused the sender: 553 5.1.8 who are you"},
        {"--reply-rcpt", "450 4.2.1 busy", DELIVERY_RETRY, "The SMTP server refused all recipients: <ada@example.com> 450 4.2.1 busy"},
        {"--reply-rcpt", "550 5.1.1 unknown", DELIVERY_FAILED, "The SMTP server refused all recipients: <ada@example.com> 550 5.1.1 unknown"},
        {"--reply-data", "451 4.7.1 greylisted", DELIVERY_RETRY, "The SMTP server refused the message: 451 4.7.1 greylisted"},
        {"--reply-data", "554 5.7.1 spam", DELIVERY_FAILED, "The SMTP server refused the message: 554 5.7.1 spam"},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WORLD_SINK(w, "", cases[i].flag, cases[i].value);
        assert_outcome(attempt_run(w->d, w->t), cases[i].outcome);
        assert_text(w->t->result.error, cases[i].error);
        assert_int_equal(w->t->result.message_id.n, 0);
        arena_destroy(w->t->arena);
        sink_stop(w->sink);
        w->t = NULL;
        w->sink = NULL;
    }
}

static void one_bad_recipient_does_not_stop_the_others(void **state)
{
    static const struct delivery_address to[] = {{STR_NULL, STR("bad@example.com")}, {STR_NULL, STR("ada@example.com")}};
    struct world *w = *state;
    WORLD_SINK(w, "", "--reply-rcpt", "bad@example.com=550 5.1.1 unknown");
    w->t->email.to = to;
    w->t->email.to_n = 2;
    yyjson_val *line = send_and_receive(w);
    assert_int_equal(yyjson_arr_size(json_get(line, "rcpt_tos")), 1);
    assert_text(w->t->result.response, "250 2.0.0 queued as 1; refused: <bad@example.com> 550 5.1.1 unknown");
}

static void broken_connections_are_retried(void **state)
{
    static const char *const where[] = {"connect", "rcpt", "data"};
    struct world *w = *state;
    for (size_t i = 0; i < 3; i++) {
        WORLD_SINK(w, "", "--close", where[i]);
        assert_outcome(attempt_run(w->d, w->t), DELIVERY_RETRY);
        assert_true(w->t->result.error.n > 0);
        arena_destroy(w->t->arena);
        sink_stop(w->sink);
        w->t = NULL;
        w->sink = NULL;
    }
}

static void hanging_servers_are_given_up(void **state)
{
    static const char *const where[] = {"connect", "ehlo", "rcpt", "data"};
    struct world *w = *state;
    for (size_t i = 0; i < 4; i++) {
        WORLD_SINK(w, "", "--hang", where[i]);
        w->t->delivery.timeout_ms = 300;
        assert_outcome(attempt_run(w->d, w->t), DELIVERY_RETRY);
        arena_destroy(w->t->arena);
        sink_stop(w->sink);
        w->t = NULL;
        w->sink = NULL;
    }
}

static void nobody_listening_is_retried(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, "");
    sink_stop(w->sink);
    w->sink = NULL;
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_RETRY);
}

static void connections_are_used_again(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, AUTH, "--auth", "carla:s3cret pass");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(json_get_int(send_and_receive(w), "session", 0), 1);
        arena_destroy(w->t->arena);
        w->t = world_attempt(w, AUTH);
    }
    /* Another password may not use a session that the right one opened. */
    arena_destroy(w->t->arena);
    w->t = world_attempt(w, ",\"user\":\"carla\",\"password\":\"wrong one\"");
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_FAILED);
}

static void a_dead_kept_connection_costs_no_attempt(void **state)
{
    struct world *w = *state;
    for (int goodbye = 0; goodbye < 2; goodbye++) {
        WORLD_SINK(w, "", "--close", "after", goodbye ? "--goodbye" : "--delay=0");
        for (int i = 1; i < 4; i++) {
            assert_int_equal(json_get_int(send_and_receive(w), "session", 0), i);
            assert_int_equal(json_get_int(sink_next(w->sink, w->arena), "closed", 0), i);
            arena_destroy(w->t->arena);
            w->t = world_attempt(w, "");
        }
        arena_destroy(w->t->arena);
        sink_stop(w->sink);
        w->t = NULL;
        w->sink = NULL;
    }
}

/* --- dialogues that no honest server has --- */

#define HELLO "[\"\",\"220 mx\\r\\n\"],[\"EHLO\",\"250-mx\\r\\n250 SIZE 1000000\\r\\n\"]"

static struct str heard(struct world *w)
{
    return json_write(w->arena, json_get(sink_next(w->sink, w->arena), "heard"));
}

static void world_again(struct world *w)
{
    arena_destroy(w->t->arena);
    sink_stop(w->sink);
    w->t = NULL;
    w->sink = NULL;
}

/* What came with the answer to STARTTLS, in the clear, is not taken for what the encrypted server says (CVE-2021-22947). */
static void starttls_answers_cannot_be_injected(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, AUTH, "--script", "[[\"\",\"220 mx\\r\\n\"],[\"EHLO\",\"250-mx\\r\\n250 STARTTLS\\r\\n\"],"
                        "[\"STARTTLS\",\"220 go\\r\\n250-mx\\r\\n250 AUTH PLAIN\\r\\n235 in\\r\\n250 ok\\r\\n\"]]");
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_RETRY);
    struct str said = heard(w);
    assert_has(said, "STARTTLS");
    assert_lacks(said, "AUTH");
    assert_lacks(said, "MAIL");
}

static void answers_of_many_lines_are_read_whole(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, "", "--script", "[[\"\",\"220-mx\\r\\n220-AUTH no\\r\\n220 ready\\r\\n\"],[\"EHLO\",\"250-mx\\r\\n250-SIZE\\r\\n250 HELP\\r\\n\"],"
                      "[\"MAIL\",\"250-2.1.0 a\\r\\n250 2.1.0 b\\r\\n\"],[\"RCPT\",\"250-2.1.5 a\\r\\n250\\r\\n\"],[\"DATA\",\"354-go\\r\\n354 on\\r\\n\"],"
                      "[\".\",\"250-2.0.0 taken\\r\\n250 2.0.0 as 7\\r\\n\"]]");
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_SENT);
    assert_text(w->t->result.response, "250-2.0.0 taken 2.0.0 as 7");
    world_again(w);
    WORLD_SINK(w, "", "--script", "[" HELLO ",[\"MAIL\",\"250 ok\\r\\n\"],[\"RCPT\",\"550-5.1.1 no such\\r\\n550-see\\r\\n550 https://mx\\r\\n\"]]");
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_FAILED);
    assert_text(w->t->result.error, "The SMTP server refused all recipients: <ada@example.com> 550-5.1.1 no such see https://mx");
}

/* Whatever it says, it is an answer or it is another attempt; nothing is taken for sent. */
static void nonsense_is_not_success(void **state)
{
    static const struct { const char *script; enum delivery_outcome outcome; } cases[] = {
        {"[[\"\",\"hello\\r\\n\"]]", DELIVERY_RETRY},
        {"[[\"\",\"\\r\\n\\r\\n\"],[\"\",\"\"]]", DELIVERY_RETRY},
        {"[[\"\",\"999 x\\r\\n\"],[\"\",\"\"]]", DELIVERY_RETRY},
        {"[" HELLO ",[\"MAIL\",\"250 ok\\r\\n\"],[\"RCPT\",\"250 ok\\r\\n\"],[\"DATA\",\"250 ok\\r\\n\"]]", DELIVERY_RETRY},
        {"[" HELLO ",[\"MAIL\",\"250 ok\\r\\n\"],[\"RCPT\",\"250 ok\\r\\n\"],[\"DATA\",\"354 go\\r\\n\"],[\".\",\"\"]]", DELIVERY_RETRY},
        {"[" HELLO ",[\"MAIL\",\"250 ok\\r\\n\"],[\"RCPT\",\"251 will forward\\r\\n\"],[\"DATA\",\"354 go\\r\\n\"],[\".\",\"250 ok\\r\\n\"]]", DELIVERY_SENT},
        {"[" HELLO ",[\"MAIL\",\"250 ok\\r\\n\"],[\"RCPT\",\"421 4.3.2 bye\\r\\n\"],[\"\",\"\"]]", DELIVERY_RETRY},
        {"[" HELLO ",[\"MAIL\",\"552 5.3.4 too big\\r\\n\"]]", DELIVERY_FAILED},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WORLD_SINK(w, "", "--script", cases[i].script);
        w->t->delivery.timeout_ms = 2000;
        attempt_run(w->d, w->t);
        if (w->t->result.outcome != cases[i].outcome)
            fail_msg("%s became %d: %.*s", cases[i].script, w->t->result.outcome, STR_ARG(w->t->result.error));
        assert_true(w->t->result.outcome == DELIVERY_SENT || w->t->result.error.n > 0);
        world_again(w);
    }
}

static void silence_is_given_up_in_every_state(void **state)
{
    static const char *const cases[] = {
        "[[\"\",\"220-mx\\r\\n\"]]", "[[\"\",\"220 mx\\r\\n\"],[\"EHLO\",\"250-mx\\r\\n\"]]",
        "[[\"\",\"220 mx\\r\\n\"],[\"EHLO\",\"250-mx\\r\\n250 STARTTLS\\r\\n\"],[\"STARTTLS\",null]]",
        "[[\"\",\"220 mx\\r\\n\"],[\"EHLO\",\"250-mx\\r\\n250 STARTTLS\\r\\n\"],[\"STARTTLS\",\"220 go\\r\\n\"]]",
        "[[\"\",\"220 mx\\r\\n\"],[\"EHLO\",\"250-mx\\r\\n250 AUTH LOGIN\\r\\n\"],[\"AUTH\",null]]",
        "[[\"\",\"220 mx\\r\\n\"],[\"EHLO\",\"250-mx\\r\\n250 AUTH PLAIN\\r\\n\"],[\"AUTH\",\"235 in\\r\\n\"],[\"MAIL\",null]]",
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WORLD_SINK(w, AUTH, "--script", cases[i]);
        w->t->delivery.timeout_ms = 300;
        assert_outcome(attempt_run(w->d, w->t), DELIVERY_RETRY);
        assert_has(w->t->result.error, "timed out");
        world_again(w);
    }
}

/* Of several, one that may be taken later makes the whole worth another attempt; one that is taken makes it sent. */
static void recipients_are_refused_each_for_itself(void **state)
{
    static const struct delivery_address to[] = {{STR_NULL, STR("gone@example.com")}, {STR_NULL, STR("busy@example.com")}, {STR_NULL, STR("ada@example.com")}};
    struct world *w = *state;
    for (size_t n = 1; n <= 3; n++) {
        WORLD_SINK(w, "", "--reply-rcpt", "gone@example.com=550 5.1.1 unknown", "--reply-rcpt", "busy@example.com=450 4.2.1 busy");
        w->t->email.to = to;
        w->t->email.to_n = n;
        attempt_run(w->d, w->t);
        assert_outcome(&w->t->result, n == 1 ? DELIVERY_FAILED : n == 2 ? DELIVERY_RETRY : DELIVERY_SENT);
        assert_text(w->t->result.response, n == 1 ? "<gone@example.com> 550 5.1.1 unknown"
                    : n == 2 ? "<gone@example.com> 550 5.1.1 unknown; <busy@example.com> 450 4.2.1 busy"
                    : "250 2.0.0 queued as 1; refused: <gone@example.com> 550 5.1.1 unknown; <busy@example.com> 450 4.2.1 busy");
        world_again(w);
    }
}

static void addresses_beyond_ascii_need_a_server_that_takes_them(void **state)
{
    static const struct delivery_address to[] = {{STR_NULL, STR("j\xc3\xbcrgen@example.com")}}, reply[] = {{STR_NULL, STR("b\xc3\xbcro@acme.io")}};
    struct world *w = *state;
    WORLD_SINK(w, "", "--script", "[" HELLO ",[\"MAIL\",\"250 ok\\r\\n\"],[\"RCPT\",\"250 ok\\r\\n\"],[\"DATA\",\"354 go\\r\\n\"],[\".\",\"250 ok\\r\\n\"]]");
    w->t->email.to = to;
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_FAILED);
    assert_text(w->t->result.error, "The SMTP server does not take e-mail addresses with letters beyond ASCII (SMTPUTF8).");
    assert_lacks(heard(w), "Subject");
    world_again(w);
    /* Only in a header: the message is as international. An address whose domain alone is so needs nothing. */
    WORLD_SINK(w, "", "--no-smtputf8");
    w->t->email.reply_to = reply;
    w->t->email.reply_to_n = 1;
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_FAILED);
    arena_destroy(w->t->arena);
    w->t = world_attempt(w, "");
    static const struct delivery_address domain[] = {{STR_NULL, STR("ada@b\xc3\xbc" "cher.example")}};
    w->t->email.to = domain;
    assert_path(send_and_receive(w), "rcpt_tos.0", "ada@xn--bcher-kva.example");
    world_again(w);
    /* A kept connection's greeting is long past: a new one is asked. */
    WORLD_SINK(w, "");
    send_and_receive(w);
    arena_destroy(w->t->arena);
    w->t = world_attempt(w, "");
    w->t->email.to = to;
    assert_path(send_and_receive(w), "rcpt_tos.0", "j\xc3\xbcrgen@example.com");
}

/* Line ends that one server takes for a message's end and another does not carry no second message inside. */
static void messages_cannot_be_smuggled(void **state)
{
    static const char *const ends[] = {"\n.\n", "\r.\r", "\n.\r\n", "\r\n.\r", "\r\n.\n", "\r.\r\n", "\r\n\0.\r\n", "\r\n.\r\n"};
    static const size_t lengths[] = {3, 3, 4, 4, 4, 4, 6, 5};
    struct world *w = *state;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        struct buf b = {.arena = w->arena};
        WORLD_SINK(w, "");
        buf_z(&b, "a");
        buf_add(&b, ends[i], lengths[i]);
        buf_z(&b, "MAIL FROM:<evil@x.y>\r\nRCPT TO:<victim@x.y>\r\nDATA\r\n");
        w->t->email.text = w->t->email.html = buf_get(&b);
        yyjson_val *line = send_and_receive(w);
        assert_int_equal(yyjson_arr_size(json_get(line, "rcpt_tos")), 1);
        assert_has(json_str(json_path(line, STR("parsed.parts.1.text"))), "MAIL FROM:<evil@x.y>");
        assert_text(w->t->result.response, "250 2.0.0 queued as 1");
        world_again(w);
    }
}

static void names_cannot_inject(void **state)
{
    struct world *w = *state;
    static const struct delivery_address reply[] = {{STR("Sup\r\nBcc: evil@x.y\r\n \"port"), STR("help@acme.io")}};
    static const struct delivery_address cc[] = {{STR("=?utf-8?q?evil?= <evil@x.y>,"), STR("cc@acme.io")}};
    struct delivery_attachment file = {STR("a\r\nX-Evil: 1\";b.txt"), STR("text/plain;x=\"1\r\nX-Evil: 2\""), STR("x"), STR_NULL};
    WORLD_SINK(w, "");
    w->t->email.reply_to = reply, w->t->email.reply_to_n = 1, w->t->email.cc = cc, w->t->email.cc_n = 1;
    w->t->email.attachments = &file, w->t->email.attachments_n = 1;
    yyjson_val *line = send_and_receive(w);
    assert_lacks(raw_of(w->arena, line), "\r\nX-Evil");
    assert_lacks(raw_of(w->arena, line), "\r\nBcc");
    assert_path(line, "parsed.reply_to.0.email", "help@acme.io");
    assert_int_equal(yyjson_arr_size(json_path(line, STR("parsed.reply_to"))), 1);
    assert_int_equal(yyjson_arr_size(json_path(line, STR("parsed.cc"))), 1);
    assert_path(line, "parsed.cc.0.name", "=?utf-8?q?evil?= <evil@x.y>,");
    assert_path(line, "parsed.parts.2.filename", "a X-Evil: 1\";b.txt");
    assert_path(line, "parsed.parts.2.type", "application/octet-stream");
    world_again(w);
    struct delivery_attachment bad = {STR("a"), STR("text/plain"), STR("x"), STR("a>\r\nX-Evil: 3")};
    WORLD_SINK(w, "");
    w->t->email.attachments = &bad, w->t->email.attachments_n = 1;
    assert_outcome(attempt_run(w->d, w->t), DELIVERY_FAILED);
    assert_text(w->t->result.error, "The cid of an attachment is not a valid Content-ID.");
}

/* --- refused before any connection --- */

static void configuration_errors_have_upstreams_texts(void **state)
{
    static const struct { const char *credentials, *error; } cases[] = {
        {"{\"port\":25}", "SMTP host is required."},
        {"{\"host\":\"  \",\"port\":25}", "SMTP host is required."},
        {"{\"host\":\"a b\",\"port\":25}", "SMTP host contains invalid characters."},
        {"{\"host\":\"a:25\",\"port\":25}", "SMTP host contains invalid characters."},
        {"{\"host\":\"u@a\",\"port\":25}", "SMTP host contains invalid characters."},
        {"{\"host\":\"a\"}", "SMTP port must be an integer between 1 and 65535."},
        {"{\"host\":\"a\",\"port\":0}", "SMTP port must be an integer between 1 and 65535."},
        {"{\"host\":\"a\",\"port\":65536}", "SMTP port must be an integer between 1 and 65535."},
        {"{\"host\":\"a\",\"port\":\"25x\"}", "SMTP port must be an integer between 1 and 65535."},
        {"{\"host\":\"a\",\"port\":2.5}", "SMTP port must be an integer between 1 and 65535."},
        {"{\"host\":\"a\",\"port\":\"465\",\"secure\":true,\"tlsOptions\":\"{\"}", "The TLS options are not a JSON object."},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct attempt *t = attempt_new(&w->desk, "nodemailer", str_of(cases[i].credentials));
        assert_outcome(attempt_run(w->d, t), DELIVERY_FAILED);
        assert_text(t->result.error, cases[i].error);
        arena_destroy(t->arena);
    }
}

static void unsendable_mails_fail(void **state)
{
    static const struct { const char *from, *to, *headers, *error; } cases[] = {
        {"", "a@b.c", NULL, "The sender's e-mail address is missing."},
        {"no address", "a@b.c", NULL, "\"no address\" is not a valid e-mail address."},
        {"a@b.c", "a@b.c\r\nRCPT TO:<evil@x.y>", NULL, "\"a@b.c RCPT TO:<evil@x.y>\" is not a valid e-mail address."},
        {"a@b.c", "<a@b.c>", NULL, "\"<a@b.c>\" is not a valid e-mail address."},
        {"a@b.c", "a@b..c", NULL, "\"a@b..c\" is not a valid e-mail address."},
        {"a@b.c", "a..b@c", NULL, "\"a..b@c\" is not a valid e-mail address."},
        {"a@b.c", "a@b.c", "{\"X-A\":\"1\\r\\nBcc: x@y.z\"}", "The e-mail header \"X-A\" contains a line break or NUL."},
        {"a@b.c", "a@b.c", "{\"X-A\\r\\nB\":\"1\"}", "A custom e-mail header has an invalid name."},
        {"a@b.c", "a@b.c", "{\"bcc\":\"x@y.z\"}", "The e-mail header \"bcc\" cannot be set as a custom header."},
        {"a@b.c", "a@b.c", "{\"X\":{}}", "A custom e-mail header must be a string."},
    };
    struct world *w = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct attempt *t = attempt_new(&w->desk, "nodemailer", STR("{\"host\":\"127.0.0.1\",\"port\":1}"));
        struct delivery_address to = {.email = str_of(cases[i].to)};
        t->email.from.email = str_of(cases[i].from);
        t->email.to = &to;
        t->email.headers = cases[i].headers ? json_of(t->arena, str_of(cases[i].headers)) : NULL;
        assert_outcome(attempt_run(w->d, t), DELIVERY_FAILED);
        assert_text(t->result.error, cases[i].error);
        arena_destroy(t->arena);
    }
    struct attempt *t = attempt_new(&w->desk, "nodemailer", STR("{\"host\":\"127.0.0.1\",\"port\":1}"));
    t->email.to_n = 0;
    assert_outcome(attempt_run(w->d, t), DELIVERY_FAILED);
    assert_text(t->result.error, "No recipients defined");
    arena_destroy(t->arena);
}

static void outlook_is_fixed(void **state)
{
    struct world *w = *state;
    struct smtp_settings s;
    struct error err = {0};
    yyjson_val *c = json_of(w->arena, STR("{\"host\":\"evil\",\"port\":1,\"from\":\"me@acme.io\",\"password\":\"pw\",\"senderName\":\"Me\"}"));
    assert_true(smtp_settings_read(w->arena, SMTP_OUTLOOK365, c, &s, &err));
    assert_text(s.host, "smtp.office365.com");
    assert_int_equal(s.port, 587);
    assert_int_equal(s.security, SMTP_STARTTLS);
    assert_text(s.user, "me@acme.io");
    assert_text(s.password, "pw");
    assert_true(s.verify);
    assert_int_equal(s.connect_timeout_ms, 30000);
}

/* Upstream never parses the TLS options without `secure`. */
static void broken_tls_options_matter_only_with_secure(void **state)
{
    struct world *w = *state;
    WORLD_SINK(w, ",\"tlsOptions\":\"{oops\",\"secure\":false");
    send_and_receive(w);
}

#define T(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(plain_mail_arrives), T(message_id_is_stable_and_safe), T(all_recipients_get_it_and_bcc_is_secret),
        T(without_to_the_recipients_are_undisclosed), T(unicode_survives_everywhere), T(dots_survive),
        T(long_lines_are_wrapped), T(attachments_and_inline_images_arrive), T(custom_headers_are_written),
        T(subject_cannot_inject), T(sender_falls_back_to_the_credentials), T(international_addresses),
        T(dkim_signature_verifies), T(unusable_dkim_key_fails),
        T(starttls_is_used_when_offered), T(ignore_tls_stays_plain), T(certificates_are_checked),
        T(a_given_authority_is_trusted), T(required_starttls_that_is_not_offered_fails),
        T(unchecked_tls_is_not_shared_with_checked), T(authenticates), T(wrong_password_fails),
        T(temporary_auth_failure_is_retried), T(secrets_in_answers_are_masked),
        T(replies_map_to_outcomes), T(one_bad_recipient_does_not_stop_the_others), T(broken_connections_are_retried),
        T(hanging_servers_are_given_up), T(nobody_listening_is_retried), T(connections_are_used_again),
        T(a_dead_kept_connection_costs_no_attempt), T(starttls_answers_cannot_be_injected),
        T(answers_of_many_lines_are_read_whole), T(nonsense_is_not_success), T(silence_is_given_up_in_every_state),
        T(recipients_are_refused_each_for_itself), T(addresses_beyond_ascii_need_a_server_that_takes_them),
        T(messages_cannot_be_smuggled), T(names_cannot_inject),
        T(configuration_errors_have_upstreams_texts), T(unsendable_mails_fail), T(outlook_is_fixed),
        T(broken_tls_options_matter_only_with_secure),
    };
    return cmocka_run_group_tests_name("smtp", tests, NULL, NULL);
}
