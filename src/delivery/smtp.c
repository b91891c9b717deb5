/* Delivers e-mail by SMTP through libcurl: connection, envelope, and what the server's answers mean. */
#include <unistd.h>

#include "base/clock.h"
#include "base/crypto.h"
#include "delivery/dispatcher_private.h"
#include "delivery/smtp_settings.h"

enum { REPLY_MAX = 2048, REFUSED_MAX = 4096, EHLO_MAX = 255 };

/* Where in the dialogue we are: the last command that was sent. */
enum phase { PHASE_GREETING, PHASE_EHLO, PHASE_STARTTLS, PHASE_AUTH, PHASE_MAIL, PHASE_RCPT, PHASE_DATA, PHASE_BODY };

enum auth_try { AUTH_PLAIN_LOGIN, AUTH_CRAM };

struct smtp {
    struct job *job;
    struct smtp_settings settings;
    struct secrets secrets;
    struct delivery_email email;        /* the delivery's, with the sender completed */
    struct mail_message message;
    struct mail_cursor cursor;
    struct curl_slist *rcpt, *connect_to;
    bool composed, fresh;               /* fresh: a kept connection turned out to be dead, take a new one */
    enum auth_try auth;

    /* The dialogue of this transfer. */
    enum phase phase;
    bool quitting;                      /* libcurl closes the connection, before it tells us why */
    int code;                           /* of the last complete reply */
    struct str reply;                   /* its text, lines joined by a space */
    char reply_text[REPLY_MAX];
    size_t reply_n;
    bool reply_open;                    /* a "250-" line came last */
    bool offers_plain_login, offers_cram, offers_utf8;
    bool withheld;                      /* the message was not given to a server that would have damaged it */
    size_t rcpt_at, rcpt_accepted;
    bool rcpt_temporary;
    struct buf refused;                 /* "<a@b> 550 text; …" */
};

/* --- plan: credentials and host --- */

static enum smtp_provider provider_of(const struct driver *driver)
{
    return driver == &smtp_outlook_driver ? SMTP_OUTLOOK365 : driver == &smtp_emailjs_driver ? SMTP_EMAILJS : SMTP_NODEMAILER;
}

static bool smtp_plan(struct job *j, struct error *err)
{
    struct smtp *s = ARENA_NEW(j->arena, struct smtp);
    s->job = j;
    j->state = s;
    s->fresh = j->delivery->purpose == DELIVERY_CHECK;     /* a kept connection would say who was let in earlier */
    if (!j->delivery->email && j->delivery->purpose != DELIVERY_CHECK)
        return error_set(err, ERROR_BAD_INPUT, "The delivery has no e-mail.");
    if (!smtp_settings_read(j->arena, provider_of(j->driver), j->delivery->credentials, &s->settings, err))
        return false;
    j->host_key = str_fmt(j->arena, "smtp://%.*s:%d", STR_ARG(s->settings.host), s->settings.port);
    return true;
}

/* --- begin: message and options --- */

/* Once a delivery; a second try in the same attempt sends the same bytes. */
static bool message_compose(struct smtp *s, struct error *err)
{
    struct delivery *d = s->job->delivery;
    if (s->composed)
        return true;
    s->email = *d->email;
    if (!s->email.from.email.n)
        s->email.from.email = s->settings.from;
    if (!s->email.from.name.n)
        s->email.from.name = s->settings.from_name;
    struct mail_stamp stamp = {.idempotency_key = d->idempotency_key, .now_ms = clock_real_ms(),
                               .dkim = s->settings.has_dkim ? &s->settings.dkim : NULL};
    s->composed = mail_compose(d->arena, &s->email, &stamp, &s->message, err);
    s->fresh |= s->message.needs_utf8;  /* what the server offers is said once a connection */
    return s->composed;
}

static size_t on_read(char *p, size_t size, size_t n, void *ctx)
{
    struct smtp *s = ctx;
    s->withheld = s->message.needs_utf8 && !s->offers_utf8;
    return s->withheld ? CURL_READFUNC_ABORT : mail_read(&s->cursor, p, size * n);
}

static int on_seek(void *ctx, curl_off_t offset, int origin)
{
    struct smtp *s = ctx;
    if (offset != 0 || origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    s->cursor = (struct mail_cursor){.message = &s->message};
    return CURL_SEEKFUNC_OK;
}

static size_t on_ignored(char *p, size_t size, size_t n, void *ctx)
{
    (void)p, (void)ctx;
    return size * n;
}

/* This machine's name for EHLO, as far as it is one (RFC 5321 §4.1.1.1). */
static struct str ehlo_name(struct arena *a)
{
    char name[EHLO_MAX + 1] = "";
    gethostname(name, sizeof name - 1);
    for (const char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '-' || *c == '.'))
            return STR("localhost");
    return *name ? str_dup(a, str_of(name)) : STR("localhost");
}

/* Kept connections are shared only among deliveries with the same idea of security. libcurl compares user, password
 * and bearer token of SMTP connections, but neither whether STARTTLS was demanded nor, after STARTTLS, how the
 * certificate was checked. The token is never sent: LOGIN_OPTIONS allow no mechanism that takes one. */
static void option_partition(struct smtp *s)
{
    const struct smtp_settings *t = &s->settings;
    struct arena *a = s->job->arena;
    struct str all = str_fmt(a, "%d|%d|%ld|%ld|%zu|%.*s|%.*s|%.*s|%.*s", t->security, t->verify, t->tls_min, t->tls_max,
                             t->ca.n, STR_ARG(t->servername), STR_ARG(t->ca), STR_ARG(t->cert), STR_ARG(t->key));
    struct str tag = crypto_sha256_hex(a, all);
    curl_easy_setopt(s->job->easy, CURLOPT_XOAUTH2_BEARER, str_z(a, tag));
}

static void option_blob(CURL *e, CURLoption option, struct str pem)
{
    struct curl_blob blob = {.data = (void *)(uintptr_t)pem.p, .len = pem.n, .flags = CURL_BLOB_COPY};
    if (pem.n)
        curl_easy_setopt(e, option, &blob);
}

static void options_tls(struct smtp *s)
{
    static const long use[] = {CURLUSESSL_TRY, CURLUSESSL_ALL, CURLUSESSL_NONE, CURLUSESSL_NONE};
    const struct smtp_settings *t = &s->settings;
    CURL *e = s->job->easy;
    curl_easy_setopt(e, CURLOPT_USE_SSL, use[t->security]);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, (long)t->verify);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, t->verify ? 2L : 0L);
    curl_easy_setopt(e, CURLOPT_SSLVERSION, (t->tls_min ? t->tls_min : CURL_SSLVERSION_TLSv1_2) | t->tls_max);
    option_blob(e, CURLOPT_CAINFO_BLOB, t->ca);
    option_blob(e, CURLOPT_SSLCERT_BLOB, t->cert);
    option_blob(e, CURLOPT_SSLKEY_BLOB, t->key.n ? t->key : t->cert);
}

static bool options_url(struct smtp *s)
{
    const struct smtp_settings *t = &s->settings;
    struct arena *a = s->job->arena;
    struct str name = t->servername.n ? t->servername : t->host, ehlo = ehlo_name(a);
    struct str url = str_fmt(a, "%s://%.*s:%d/%.*s", t->security == SMTP_TLS ? "smtps" : "smtp", STR_ARG(name), t->port,
                             STR_ARG(ehlo));
    curl_easy_setopt(s->job->easy, CURLOPT_URL, str_z(a, url));
    if (t->servername.n) {              /* the name is for the certificate, the host for the connection */
        struct str to = str_fmt(a, "%.*s:%d:%.*s:%d", STR_ARG(name), t->port, STR_ARG(t->host), t->port);
        s->connect_to = curl_slist_append(NULL, str_z(a, to));
        if (!s->connect_to)
            return false;
        curl_easy_setopt(s->job->easy, CURLOPT_CONNECT_TO, s->connect_to);
    }
    return true;
}

static void options_auth(struct smtp *s)
{
    struct arena *a = s->job->arena;
    CURL *e = s->job->easy;
    /* PLAIN, then LOGIN, then CRAM-MD5 (providers.md §4.2); libcurl by itself would take CRAM-MD5 first. */
    curl_easy_setopt(e, CURLOPT_LOGIN_OPTIONS, s->auth == AUTH_CRAM ? "AUTH=CRAM-MD5" : "AUTH=PLAIN;AUTH=LOGIN");
    curl_easy_setopt(e, CURLOPT_SASL_IR, 1L);
    if (s->settings.user.n) {
        curl_easy_setopt(e, CURLOPT_USERNAME, str_z(a, s->settings.user));
        curl_easy_setopt(e, CURLOPT_PASSWORD, str_z(a, s->settings.password));
    }
}

static bool options_envelope(struct smtp *s)
{
    struct arena *a = s->job->arena;
    CURL *e = s->job->easy;
    for (size_t i = 0; i < s->message.rcpt_n; i++) {
        struct str line = str_fmt(a, "<%.*s>", STR_ARG(s->message.rcpt[i]));
        struct curl_slist *list = curl_slist_append(s->rcpt, str_z(a, line));
        if (!list)
            return false;
        s->rcpt = list;
    }
    struct str from = str_fmt(a, "<%.*s>", STR_ARG(s->message.mail_from));
    curl_easy_setopt(e, CURLOPT_MAIL_FROM, str_z(a, from));
    curl_easy_setopt(e, CURLOPT_MAIL_RCPT, s->rcpt);
    /* One bad address must not keep the mail from the others; all bad is an error all the same. */
    curl_easy_setopt(e, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1L);
    curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(e, CURLOPT_INFILESIZE_LARGE, (curl_off_t)mail_size(&s->message));
    curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(e, CURLOPT_READDATA, s);
    curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(e, CURLOPT_SEEKDATA, s);
    return true;
}

/* No envelope: after the greeting and the authentication there is only a NOOP. */
static void options_check(struct smtp *s)
{
    curl_easy_setopt(s->job->easy, CURLOPT_CUSTOMREQUEST, "NOOP");
    curl_easy_setopt(s->job->easy, CURLOPT_FORBID_REUSE, 1L);
}

static int on_dialogue(CURL *easy, curl_infotype type, char *p, size_t n, void *ctx);

static void dialogue_reset(struct smtp *s)
{
    s->phase = PHASE_GREETING;
    s->quitting = false;
    s->code = 0;
    s->reply = STR_NULL;
    s->reply_n = 0;
    s->reply_open = false;
    s->offers_plain_login = s->offers_cram = s->offers_utf8 = s->withheld = false;
    s->rcpt_at = s->rcpt_accepted = 0;
    s->rcpt_temporary = false;
    s->refused = (struct buf){.arena = s->job->arena};
    s->cursor = (struct mail_cursor){.message = &s->message};
}

static bool smtp_begin(struct job *j, struct error *err)
{
    struct smtp *s = j->state;
    CURL *e = j->easy;
    bool check = j->delivery->purpose == DELIVERY_CHECK;
    if (!check && !message_compose(s, err))
        return false;
    s->secrets = secrets_of(j->arena, j->delivery->credentials);
    dialogue_reset(s);
    if (!options_url(s) || (!check && !options_envelope(s)))
        return error_set(err, ERROR_IO, "Out of memory for the envelope.");
    if (check)
        options_check(s);
    options_tls(s);
    options_auth(s);
    option_partition(s);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)s->settings.connect_timeout_ms);
    curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, (long)s->fresh);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_ignored);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_ignored);
    curl_easy_setopt(e, CURLOPT_DEBUGFUNCTION, on_dialogue);
    curl_easy_setopt(e, CURLOPT_DEBUGDATA, s);
    curl_easy_setopt(e, CURLOPT_VERBOSE, 1L);
    return true;
}

/* --- the dialogue, as libcurl tells it --- */

static void command_sent(struct smtp *s, struct str line)
{
    static const struct { const char *verb; enum phase phase; } verbs[] = {
        {"EHLO", PHASE_EHLO}, {"HELO", PHASE_EHLO}, {"STARTTLS", PHASE_STARTTLS}, {"AUTH", PHASE_AUTH},
        {"MAIL FROM:", PHASE_MAIL}, {"RCPT TO:", PHASE_RCPT}, {"DATA", PHASE_DATA}
    };
    if (s->phase == PHASE_AUTH && s->code == 334)
        return;                         /* a user name or password, which may look like anything */
    if (str_starts(line, STR("QUIT"))) {
        s->quitting = true;
        job_stop_reading(s->job);
        return;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (str_starts(line, str_of(verbs[i].verb)))
            s->phase = verbs[i].phase;
}

static void ehlo_line(struct smtp *s, struct str text)
{
    s->offers_utf8 |= str_eq_nocase(str_trim(text), STR("SMTPUTF8"));
    if (text.n < 5 || !str_eq_nocase(str_sub(text, 0, 4), STR("AUTH")))
        return;
    for (size_t i = 4, start = 5; i <= text.n; i++) {
        if (i < text.n && text.p[i] != ' ' && text.p[i] != '=')
            continue;
        struct str word = str_sub(text, start, i);
        s->offers_plain_login |= str_eq_nocase(word, STR("PLAIN")) || str_eq_nocase(word, STR("LOGIN"));
        s->offers_cram |= str_eq_nocase(word, STR("CRAM-MD5"));
        start = i + 1;
    }
}

static void rcpt_answered(struct smtp *s)
{
    struct str who = s->rcpt_at < s->message.rcpt_n ? s->message.rcpt[s->rcpt_at] : STR_NULL;
    s->rcpt_at++;
    if (s->code / 100 == 2) {
        s->rcpt_accepted++;
        return;
    }
    s->rcpt_temporary |= s->code / 100 == 4;
    if (s->refused.n < REFUSED_MAX)
        buf_fmt(&s->refused, "%s<%.*s> %.*s", s->refused.n ? "; " : "", STR_ARG(who), STR_ARG(s->reply));
}

static void reply_line(struct smtp *s, struct str line)
{
    struct str text = str_trim(line);
    if (s->quitting || text.n < 3)
        return;
    int code = 0;
    for (int i = 0; i < 3; i++)
        code = code * 10 + (text.p[i] >= '0' && text.p[i] <= '9' ? text.p[i] - '0' : 100);
    bool last = text.n == 3 || text.p[3] != '-';
    if (!s->reply_open)
        s->reply_n = 0;
    else if (s->reply_n)
        text = str_sub(text, 4, text.n);
    if (s->phase == PHASE_EHLO)
        ehlo_line(s, str_sub(str_trim(line), 4, line.n));
    if (s->reply_n && s->reply_n < REPLY_MAX)
        s->reply_text[s->reply_n++] = ' ';
    size_t n = text.n < REPLY_MAX - s->reply_n ? text.n : REPLY_MAX - s->reply_n;
    memcpy(s->reply_text + s->reply_n, text.p, n);
    s->reply_n += n;
    s->reply = (struct str){s->reply_text, s->reply_n};
    s->reply_open = !last;
    if (!last)
        return;
    s->code = code;
    if (s->phase == PHASE_RCPT)
        rcpt_answered(s);
    if (s->phase == PHASE_DATA && code == 354)
        s->phase = PHASE_BODY;
}

static int on_dialogue(CURL *easy, curl_infotype type, char *p, size_t n, void *ctx)
{
    (void)easy;
    if (type == CURLINFO_HEADER_OUT)
        command_sent(ctx, (struct str){p, n});
    else if (type == CURLINFO_HEADER_IN)
        reply_line(ctx, (struct str){p, n});
    return 0;
}

/* --- end: what it all means --- */

static bool was_kept_connection(struct job *j)
{
    long connects = 1;
    return curl_easy_getinfo(j->easy, CURLINFO_NUM_CONNECTS, &connects) == CURLE_OK && connects == 0;
}

/* A kept connection that the server had meanwhile given up says nothing about the delivery. Only before the message
 * itself was sent: after that nobody knows whether it was taken. */
static bool kept_connection_was_dead(struct smtp *s, CURLcode code)
{
    return !s->fresh && code != CURLE_OPERATION_TIMEDOUT && s->phase <= PHASE_RCPT && s->rcpt_accepted == 0
        && (s->code < 400 || s->code == 421) && was_kept_connection(s->job);
}

/* What the server refused, in words. */
static const char *phase_name(const struct smtp *s)
{
    static const char *const names[] = {
        "the connection", "the greeting", "STARTTLS", "the authentication", "the sender", "all recipients", "the message",
        "the message"
    };
    return names[s->phase];
}

static void result_refused(struct smtp *s, struct delivery_result *r)
{
    bool recipients = s->phase == PHASE_RCPT && s->refused.n;
    struct str answer = recipients ? buf_get(&s->refused) : s->reply;
    struct str text = reply_text_safe(s->job->arena, &s->secrets, answer);
    r->outcome = s->code / 100 == 4 || (recipients && s->rcpt_temporary) ? DELIVERY_RETRY : DELIVERY_FAILED;
    r->response = text;
    r->error = reply_text_safe(s->job->arena, NULL, str_fmt(s->job->arena, "The SMTP server refused %s: %.*s", phase_name(s),
                                                       (int)(text.n < 1000 ? text.n : 1000), text.p));
}

static void result_sent(struct smtp *s, struct delivery_result *r)
{
    struct str text = s->reply;
    if (s->refused.n)
        text = str_fmt(s->job->arena, "%.*s; refused: %.*s", STR_ARG(s->reply), (int)s->refused.n, s->refused.p);
    r->outcome = DELIVERY_SENT;
    r->message_id = s->message.message_id;
    r->response = reply_text_safe(s->job->arena, &s->secrets, text);
}

/* Failures that no reply code explains. */
static void result_broken(struct smtp *s, CURLcode code, struct delivery_result *r)
{
    struct str answer = s->reply;
    r->outcome = curl_outcome(code);
    r->host_unknown = code == CURLE_COULDNT_RESOLVE_HOST;
    r->error = reply_text_safe(s->job->arena, &s->secrets, curl_sentence(s->job, code));
    if (code == CURLE_USE_SSL_FAILED)
        r->error = STR("The SMTP server does not offer STARTTLS, which this integration requires.");
    else if (code == CURLE_LOGIN_DENIED) {
        r->outcome = DELIVERY_FAILED;
        r->error = STR("The SMTP server offers no authentication mechanism that is supported here (PLAIN, LOGIN, CRAM-MD5).");
    }
    r->response = reply_text_safe(s->job->arena, &s->secrets, answer);
}

static enum verdict smtp_end(struct job *j, CURLcode code, struct delivery_result *r)
{
    struct smtp *s = j->state;
    if (code == CURLE_OK) {
        result_sent(s, r);
        return JOB_DONE;
    }
    if (kept_connection_was_dead(s, code)) {
        s->fresh = true;
        return JOB_AGAIN;
    }
    if (code == CURLE_LOGIN_DENIED && s->auth == AUTH_PLAIN_LOGIN && s->offers_cram && !s->offers_plain_login) {
        s->auth = AUTH_CRAM;
        return JOB_AGAIN;
    }
    if (s->withheld) {
        r->outcome = DELIVERY_FAILED;
        r->error = STR("The SMTP server does not take e-mail addresses with letters beyond ASCII (SMTPUTF8).");
        return JOB_DONE;
    }
    if (s->code >= 400 && s->code < 600 && code != CURLE_OPERATION_TIMEDOUT)
        result_refused(s, r);
    else
        result_broken(s, code, r);
    return JOB_DONE;
}

static void smtp_release(struct job *j)
{
    struct smtp *s = j->state;
    curl_slist_free_all(s->rcpt);
    curl_slist_free_all(s->connect_to);
    s->rcpt = s->connect_to = NULL;
}

const struct driver smtp_driver = {
    .provider_id = "nodemailer", .plan = smtp_plan, .begin = smtp_begin, .end = smtp_end, .release = smtp_release
};
const struct driver smtp_outlook_driver = {
    .provider_id = "outlook365", .plan = smtp_plan, .begin = smtp_begin, .end = smtp_end, .release = smtp_release
};
const struct driver smtp_emailjs_driver = {
    .provider_id = "emailjs", .plan = smtp_plan, .begin = smtp_begin, .end = smtp_end, .release = smtp_release
};
