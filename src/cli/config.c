/* Reads settings from the environment and the command line. */
#include "cli/config.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/log.h"
#include "cli/config_check.h"

struct setting {
    const char *flag;           /* without "--" */
    const char *variable;
    const char *aliases;        /* names of the original that mean the same, separated by blanks */
    const char *otherwise;      /* default; NULL: none */
    size_t at;                  /* in struct config */
    const char *values;         /* allowed ones, separated by "|"; NULL: those that check takes */
    bool (*check)(const char *v);
    const char *rule;           /* "must be …" */
    bool secret;                /* never repeated in an error */
    const char *help;
};

#define AT(member) offsetof(struct config, member)
#define CHOICE(values) values, NULL, NULL, false
#define SWITCH "on|off", NULL, NULL, false
#define RULE(check, rule) NULL, check, rule, false
#define SECRET(check, rule) NULL, check, rule, true

static const struct setting settings[] = {
    {"data-dir", "CARILLON_DATA_DIR", NULL, "./data", AT(data_dir), RULE(check_path, "the path of a directory"),
     "directory of the database, secrets and credentials.json; made at the first start"},
    {"listen", "CARILLON_LISTEN", NULL, "127.0.0.1:3000", AT(listen),
     RULE(check_listen, "address:port, such as 127.0.0.1:3000, [::1]:3000 or :3000 for all interfaces (at most 8, separated by commas)"),
     "where to listen; may repeat"},
    {"database-url", "CARILLON_DATABASE_URL", NULL, NULL, AT(database_url),
     SECRET(check_postgres, "a URL that begins with postgres:// or postgresql://"),
     "keeps data in PostgreSQL instead of a file in the data directory"},
    {"clock", "CARILLON_CLOCK", NULL, "real", AT(clock), CHOICE("real|virtual"),
     "virtual: time stands still until POST /v1/testing/clock moves it, also over a restart with the same data directory"},
    {"log", "CARILLON_LOG", NULL, "text", AT(log), CHOICE("text|json"), "form of log lines (on standard error)"},
    {"log-level", "CARILLON_LOG_LEVEL", "LOG_LEVEL", "info", AT(log_level), CHOICE("debug|info|warn|error|none"),
     "least level that is logged"},
    {"public-url", "CARILLON_PUBLIC_URL", "API_ROOT_URL HOST_NAME FRONT_BASE_URL", NULL, AT(public_url),
     RULE(check_url, "a URL that begins with http:// or https://"), "how the world reaches this server (links, redirects)"},
    {"context-path", "CARILLON_CONTEXT_PATH", "GLOBAL_CONTEXT_PATH API_CONTEXT_PATH", "", AT(context_path),
     RULE(check_context_path, "a path of letters, digits and / - . _ ~"), "prefix that is taken off paths which have it"},
    {"secret-key", "CARILLON_SECRET_KEY", NULL, NULL, AT(secret_key),
     SECRET(check_key, "16 to 256 printable ASCII characters without blanks"),
     "Development's secret key, fixed at the first start; later ones keep what is stored"},
    {"application-identifier", "CARILLON_APPLICATION_IDENTIFIER", NULL, NULL, AT(application_identifier),
     RULE(check_identifier, "4 to 63 letters, digits, _ or -"),
     "Development's application identifier, fixed at the first start; later ones keep what is stored"},
    {"jwt-secret", "CARILLON_JWT_SECRET", "JWT_SECRET", NULL, AT(jwt_secret), SECRET(check_secret, "16 to 4096 characters"),
     "signs tokens of the Inbox; made in the data directory when absent"},
    {"encryption-key", "CARILLON_ENCRYPTION_KEY", "STORE_ENCRYPTION_KEY", NULL, AT(encryption_key),
     SECRET(check_secret, "16 to 4096 characters"), "seals credentials at rest; made in the data directory when absent"},
    {"delivery-sink", "CARILLON_DELIVERY_SINK", NULL, NULL, AT(delivery_sink), RULE(check_sink, "http://host:port without a path"),
     "gets every HTTP provider request instead of the provider"},
    {"outbound-allow", "CARILLON_OUTBOUND_ALLOW", "NOVU_SAFE_OUTBOUND_ALLOW", "", AT(outbound_allow),
     RULE(check_outbound, "addresses, networks such as 10.1.0.0/16, host names or *.suffix, separated by commas"),
     "private addresses that steps, bridges and webhooks may call; while only loopback is listened on they may call all of them"},
    {"capture-deliveries", "CARILLON_CAPTURE_DELIVERIES", NULL, "off", AT(capture_deliveries), SWITCH,
     "on: every provider call of every environment goes to the built-in outbox (staging)"},
    {"metrics-token", "CARILLON_METRICS_TOKEN", NULL, NULL, AT(metrics_token),
     SECRET(check_token, "1 to 256 printable ASCII characters without blanks"),
     "bearer token that /metrics asks for; without one /metrics is open while only loopback is listened on, and closed otherwise"},
    {"origins", "CARILLON_ORIGINS", NULL, NULL, AT(origins),
     RULE(check_origins, "origins such as https://app.example.com, or * (at most 16, separated by commas)"),
     "pages of these origins may call the API from a browser (the Inbox needs none)"},
    {"workers", "CARILLON_WORKERS", NULL, "0", AT(workers), RULE(check_workers, "a number from 0 to 64"),
     "engine threads; 0: one a core, at most 8"},
    {"loops", "CARILLON_LOOPS", NULL, "0", AT(loops), RULE(check_loops, "a number from 0 to 8"), "HTTP threads; 0: one a core, at most 8"},
    {"retention-days", "CARILLON_RETENTION_DAYS", NULL, "30", AT(retention_days), RULE(check_count, "a number from 0 to 1000000"),
     "how long runs, their messages and the outbox are kept; 0: for ever"},
    {"retention-in-app-days", "CARILLON_RETENTION_IN_APP_DAYS", NULL, "365", AT(retention_in_app_days),
     RULE(check_count, "a number from 0 to 1000000"), "how long in-app messages are kept; 0: for ever"},
    {"recipients-max", "CARILLON_RECIPIENTS_MAX", NULL, "0", AT(recipients_max), RULE(check_count, "a number from 0 to 1000000"),
     "entries that `to` of one trigger may have; 0: any number"},
    {"defer-hours-max", "CARILLON_DEFER_HOURS_MAX", NULL, "0", AT(defer_hours_max), RULE(check_count, "a number from 0 to 1000000"),
     "hours that a delay or digest step may wait; 0: any time"},
    {"snooze-hours-max", "CARILLON_SNOOZE_HOURS_MAX", NULL, "2160", AT(snooze_hours_max),
     RULE(check_count, "a number from 0 to 1000000"), "hours that a message of the Inbox may be snoozed; 0: none may, and the Inbox offers it not"},
    {"keyless", "CARILLON_KEYLESS", NULL, "local", AT(keyless), CHOICE("local|off"),
     "local: while only loopback is listened on, an Inbox without application identifier gets a demo environment for a day"},
    {"rate-limit", "CARILLON_RATE_LIMIT", NULL, "off", AT(rate_limit), SWITCH,
     "on: secret keys that ask too often get 429; the RateLimit headers are always sent (docs/limits.md)"},
    {"service-level", "CARILLON_SERVICE_LEVEL", NULL, "unlimited", AT(service_level), CHOICE("free|pro|business|enterprise|unlimited"),
     "how many requests a second an environment may send; API_RATE_LIMIT_MAXIMUM_<LEVEL>_<CATEGORY> changes it"},
    {"workflows-max", "CARILLON_WORKFLOWS_MAX", NULL, "100", AT(workflows_max), RULE(check_count, "a number from 0 to 1000000"),
     "workflows that an environment may have; 0: any number"},
    {"demo", "CARILLON_DEMO", NULL, "off", AT(demo), SWITCH, "on: a demo workflow in Development for /demo"},
};
enum { SETTINGS = sizeof settings / sizeof *settings };

/* Of the original; they mean nothing here (decisions.md 22). */
static const char *const ignored[] = {
    "MONGO_URL", "MONGO_MIN_POOL_SIZE", "MONGO_MAX_POOL_SIZE", "MONGO_AUTO_CREATE_INDEXES", "REDIS_HOST", "REDIS_PORT",
    "REDIS_PASSWORD", "REDIS_DB_INDEX", "REDIS_CACHE_SERVICE_HOST", "REDIS_CACHE_SERVICE_PORT", "NOVU_TELEMETRY",
    "S3_BUCKET_NAME", "S3_LOCAL_STACK", "S3_REGION", "NEW_RELIC_LICENSE_KEY", "NEW_RELIC_APP_NAME", "SENTRY_DSN",
    "IN_MEMORY_CLUSTER_MODE_ENABLED"};

static const char **slot(struct config *c, const struct setting *s)
{
    return (const char **)(void *)((char *)c + s->at);
}

static bool is_switch(const struct setting *s)
{
    return s->values && !strcmp(s->values, "on|off");
}

/* Other words that people write for the same. */
static const char *spelled(const struct setting *s, const char *value)
{
    static const char *const words[][2] = {{"true", "on"}, {"1", "on"}, {"yes", "on"}, {"false", "off"}, {"0", "off"}, {"no", "off"}};
    /* Levels that the original's logger has besides. */
    static const char *const levels[][2] = {{"trace", "debug"}, {"verbose", "debug"}, {"log", "info"}, {"fatal", "error"}};
    for (size_t i = 0; is_switch(s) && i < sizeof words / sizeof *words; i++)
        if (!strcmp(words[i][0], value))
            return words[i][1];
    for (size_t i = 0; s->at == AT(log_level) && i < sizeof levels / sizeof *levels; i++)
        if (!strcmp(levels[i][0], value))
            return levels[i][1];
    return value;
}

static bool allowed(const struct setting *s, const char *value)
{
    if (s->check)
        return s->check(value);
    for (const char *p = s->values; *p; p += p[strcspn(p, "|")] ? strcspn(p, "|") + 1 : strlen(p))
        if (strlen(value) == strcspn(p, "|") && !strncmp(p, value, strlen(value)))
            return true;
    return false;
}

static bool set_listen(struct arena *a, struct config *c, const char *value, int *n, struct error *err)
{
    struct str rest = str_of(value);
    while (rest.n) {
        ptrdiff_t comma = str_find(rest, STR(","));
        struct str one = str_trim(str_sub(rest, 0, comma < 0 ? rest.n : (size_t)comma));
        if (one.n && *n == LISTEN_MAX)
            return error_set(err, ERROR_BAD_INPUT, "--listen (CARILLON_LISTEN) takes at most %d addresses", LISTEN_MAX);
        if (one.n)
            c->listen[(*n)++] = str_z(a, one);
        rest = comma < 0 ? STR_NULL : str_sub(rest, (size_t)comma + 1, rest.n);
    }
    c->listen[*n] = NULL;
    return true;
}

static const char *choices(struct arena *a, const struct setting *s)
{
    struct buf b = {.arena = a};
    buf_z(&b, "one of ");
    for (const char *p = s->values; *p; p++) {
        if (*p == '|')
            buf_z(&b, ", ");
        else
            buf_char(&b, *p);
    }
    return buf_finish(&b).p;
}

/* name: the flag or variable that the value came from. */
static bool set(struct arena *a, struct config *c, const struct setting *s, const char *name, const char *value, int *listens,
                struct error *err)
{
    value = spelled(s, value);
    if (!allowed(s, value)) {
        const char *rule = s->rule ? s->rule : choices(a, s);
        return s->secret ? error_set(err, ERROR_BAD_INPUT, "%s must be %s", name, rule)
                         : error_set(err, ERROR_BAD_INPUT, "%s must be %s, not '%.80s'", name, rule, value);
    }
    if (s->at == AT(listen))
        return set_listen(a, c, value, listens, err);
    *slot(c, s) = value;
    return true;
}

/* The variable itself, else the first of its other names that is set. An empty one is as good as none. */
static const char *from_environment(struct arena *a, const struct setting *s, const char **name)
{
    const char *v = getenv(*name = s->variable);
    struct str names = str_of(s->aliases);
    while ((!v || !*v) && names.n) {
        ptrdiff_t blank = str_find(names, STR(" "));
        v = getenv(*name = str_z(a, str_sub(names, 0, blank < 0 ? names.n : (size_t)blank)));
        names = blank < 0 ? STR_NULL : str_sub(names, (size_t)blank + 1, names.n);
    }
    return v && *v ? v : NULL;
}

static bool read_environment(struct arena *a, struct config *c, int *listens, struct error *err)
{
    for (int i = 0; i < SETTINGS; i++) {
        const char *name, *v = from_environment(a, &settings[i], &name);
        if (v && !set(a, c, &settings[i], name, v, listens, err))
            return false;
    }
    return true;
}

static const struct setting *setting_of_flag(const char *name, size_t n)
{
    for (int k = 0; k < SETTINGS; k++)
        if (strlen(settings[k].flag) == n && !strncmp(settings[k].flag, name, n))
            return &settings[k];
    return NULL;
}

static bool read_flags(struct arena *a, int argc, char **argv, struct config *c, int *listens, struct error *err)
{
    int mine = 0;                           /* a flag takes the place of the variable */
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i], *value = NULL;
        if (strncmp(arg, "--", 2))
            return error_set(err, ERROR_BAD_INPUT, "Unexpected argument '%.80s' (see carillon help)", arg);
        size_t n = strcspn(arg + 2, "=");
        const struct setting *s = setting_of_flag(arg + 2, n);
        if (!s)
            return error_set(err, ERROR_BAD_INPUT, "Unknown option '%.*s' (see carillon help)", (int)(n < 80 ? n : 80) + 2, arg);
        if (arg[2 + n] == '=')
            value = arg + 3 + n;
        else if (is_switch(s) && (i + 1 == argc || !strncmp(argv[i + 1], "--", 2)))
            value = "on";                   /* a switch may stand alone */
        else if (i + 1 < argc && strncmp(argv[i + 1], "--", 2))
            value = argv[++i];
        else
            return error_set(err, ERROR_BAD_INPUT, "--%s needs a value", s->flag);
        if (!set(a, c, s, str_fmt(a, "--%s", s->flag).p, value, &mine, err))
            return false;
    }
    *listens = mine ? mine : *listens;
    return true;
}

/* PORT is the original's: that port of all interfaces. */
static bool listen_otherwise(struct arena *a, struct config *c, int *listens, struct error *err)
{
    const char *port = getenv("PORT");
    if (!port || !*port)
        return set_listen(a, c, "127.0.0.1:3000", listens, err);
    if (!check_port(port))
        return error_set(err, ERROR_BAD_INPUT, "PORT must be a number from 0 to 65535, not '%.80s'", port);
    return set_listen(a, c, str_fmt(a, "0.0.0.0:%s", port).p, listens, err);
}

void config_default(struct config *c)
{
    *c = (struct config){.listen = {NULL}};
    for (int i = 0; i < SETTINGS; i++)
        if (settings[i].otherwise && settings[i].at != AT(listen))
            *slot(c, &settings[i]) = settings[i].otherwise;
}

bool config_read(struct arena *a, int argc, char **argv, struct config *c, struct error *err)
{
    int listens = 0;
    config_default(c);
    return read_environment(a, c, &listens, err) && read_flags(a, argc, argv, c, &listens, err)
        && (listens || listen_otherwise(a, c, &listens, err));
}

struct str config_help(struct arena *a)
{
    struct buf b = {.arena = a};
    for (int i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];
        buf_fmt(&b, "  --%-24s %s\n  %-26s %s%s%s%s\n", s->flag, s->help, "", s->variable, s->otherwise && *s->otherwise ? ", default " : "",
                s->otherwise ? s->otherwise : "", s->values ? str_fmt(a, " (%s)", s->values).p : "");
    }
    return buf_finish(&b);
}

static void markdown_row(struct arena *a, struct buf *b, const struct setting *s)
{
    struct str names = str_of(s->aliases);
    buf_fmt(b, "| `--%s` | `%s`", s->flag, s->variable);
    for (const char *separator = ", also "; names.n; separator = ", ") {
        ptrdiff_t blank = str_find(names, STR(" "));
        struct str one = str_sub(names, 0, blank < 0 ? names.n : (size_t)blank);
        buf_fmt(b, "%s`%.*s`", separator, STR_ARG(one));
        names = blank < 0 ? STR_NULL : str_sub(names, (size_t)blank + 1, names.n);
    }
    buf_fmt(b, " | %s%s%s | %s. Must be %s. |\n", s->otherwise && *s->otherwise ? "`" : "", s->otherwise ? s->otherwise : "",
            s->otherwise && *s->otherwise ? "`" : "", s->help, s->rule ? s->rule : choices(a, s));
}

struct str config_markdown(struct arena *a)
{
    struct buf b = {.arena = a};
    buf_z(&b, "| flag | variable | default | meaning |\n|---|---|---|---|\n");
    for (int i = 0; i < SETTINGS; i++)
        markdown_row(a, &b, &settings[i]);
    buf_z(&b, "\nAccepted from installations of the original and without meaning here (one log line each): ");
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        buf_fmt(&b, "%s`%s`", i ? ", " : "", ignored[i]);
    buf_z(&b, ".\n");
    return buf_finish(&b);
}

void config_log_ignored(void)
{
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        if (getenv(ignored[i]))
            log_info("setting ignored: it means nothing here", "variable", ignored[i], NULL);
}
