/* Reads settings from the environment and the command line. */
#include "cli/config.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/log.h"

struct setting {
    const char *flag;           /* without "--" */
    const char *variable;
    const char *aliases;        /* names of the original that mean the same, separated by blanks */
    const char *otherwise;      /* default; NULL: none */
    const char *values;         /* allowed ones, separated by "|"; NULL: any */
    size_t at;                  /* in struct config */
    const char *help;
};

#define AT(member) offsetof(struct config, member)

static const struct setting settings[] = {
    {"data-dir", "CARILLON_DATA_DIR", NULL, "./data", NULL, AT(data_dir),
     "directory of the database, secrets and credentials.json"},
    {"listen", "CARILLON_LISTEN", NULL, "127.0.0.1:3000", NULL, AT(listen), "address:port; may repeat (variable: separated by commas)"},
    {"database-url", "CARILLON_DATABASE_URL", NULL, NULL, NULL, AT(database_url),
     "postgres://… to keep data in PostgreSQL instead of a file in the data directory"},
    {"clock", "CARILLON_CLOCK", NULL, "real", "real|virtual", AT(clock),
     "virtual: time stands still until POST /v1/testing/clock"},
    {"log", "CARILLON_LOG", NULL, "text", "text|json", AT(log), "form of log lines"},
    {"log-level", "CARILLON_LOG_LEVEL", "LOG_LEVEL", "info", "debug|info|warn|error|none", AT(log_level), "least level that is logged"},
    {"public-url", "CARILLON_PUBLIC_URL", "API_ROOT_URL HOST_NAME FRONT_BASE_URL", NULL, NULL, AT(public_url),
     "how the world reaches this server (links, redirects)"},
    {"context-path", "CARILLON_CONTEXT_PATH", "GLOBAL_CONTEXT_PATH API_CONTEXT_PATH", "", NULL, AT(context_path),
     "prefix before every path"},
    {"secret-key", "CARILLON_SECRET_KEY", NULL, NULL, NULL, AT(secret_key),
     "Development's secret key, fixed at the first start"},
    {"application-identifier", "CARILLON_APPLICATION_IDENTIFIER", NULL, NULL, NULL, AT(application_identifier),
     "Development's application identifier, fixed at the first start"},
    {"jwt-secret", "CARILLON_JWT_SECRET", "JWT_SECRET", NULL, NULL, AT(jwt_secret), "signs tokens; generated when absent"},
    {"encryption-key", "CARILLON_ENCRYPTION_KEY", "STORE_ENCRYPTION_KEY", NULL, NULL, AT(encryption_key),
     "seals credentials at rest (16 characters or more); generated when absent"},
    {"delivery-sink", "CARILLON_DELIVERY_SINK", NULL, NULL, NULL, AT(delivery_sink),
     "http://host:port that gets every HTTP provider request"},
    {"capture-deliveries", "CARILLON_CAPTURE_DELIVERIES", NULL, "off", "on|off", AT(capture_deliveries),
     "on: every provider call of every environment goes to the built-in outbox (staging)"},
    {"metrics-token", "CARILLON_METRICS_TOKEN", NULL, NULL, NULL, AT(metrics_token),
     "bearer token for /metrics when not asked from loopback"},
    {"origins", "CARILLON_ORIGINS", NULL, NULL, NULL, AT(origins), "origins that browsers may call the API from, separated by commas"},
    {"workers", "CARILLON_WORKERS", NULL, "0", NULL, AT(workers), "engine threads; 0: one a core"},
    {"loops", "CARILLON_LOOPS", NULL, "0", NULL, AT(loops), "HTTP threads; 0: one a core"},
    {"demo", "CARILLON_DEMO", NULL, "off", "on|off", AT(demo), "on: a demo workflow in Development for /demo"},
};
enum { SETTINGS = sizeof settings / sizeof *settings };

/* Of the original; they mean nothing here (decisions.md 22). */
static const char *const ignored[] = {"MONGO_URL", "REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "REDIS_CACHE_SERVICE_HOST",
                                      "NOVU_TELEMETRY", "S3_BUCKET_NAME", "S3_LOCAL_STACK", "NEW_RELIC_LICENSE_KEY"};

static const char **slot(struct config *c, const struct setting *s)
{
    return (const char **)(void *)((char *)c + s->at);
}

static bool allowed(const struct setting *s, const char *value)
{
    size_t n = strlen(value);
    for (const char *p = s->values; p; p = strchr(p, '|'), p = p ? p + 1 : NULL)
        if (!strncmp(p, value, n) && (p[n] == '|' || !p[n]))
            return true;
    return !s->values;
}

static bool set_listen(struct arena *a, struct config *c, const char *value, int *n, struct error *err)
{
    struct str rest = str_of(value);
    while (rest.n) {
        ptrdiff_t comma = str_find(rest, STR(","));
        struct str one = str_trim(str_sub(rest, 0, comma < 0 ? rest.n : (size_t)comma));
        if (*n == LISTEN_MAX)
            return error_set(err, ERROR_BAD_INPUT, "At most %d addresses to listen on", LISTEN_MAX);
        if (one.n)
            c->listen[(*n)++] = str_z(a, one);
        rest = comma < 0 ? STR_NULL : str_sub(rest, (size_t)comma + 1, rest.n);
    }
    c->listen[*n] = NULL;
    return true;
}

static bool set(struct arena *a, struct config *c, const struct setting *s, const char *value, int *listens,
                struct error *err)
{
    if (!allowed(s, value))
        return error_set(err, ERROR_BAD_INPUT, "--%s (%s) must be one of %s, not '%s'", s->flag, s->variable, s->values, value);
    if (s->at == AT(listen))
        return set_listen(a, c, value, listens, err);
    *slot(c, s) = value;
    return true;
}

static const char *from_environment(struct arena *a, const struct setting *s)
{
    const char *v = getenv(s->variable);
    struct str names = str_of(s->aliases);
    while (!v && names.n) {
        ptrdiff_t blank = str_find(names, STR(" "));
        struct str name = str_sub(names, 0, blank < 0 ? names.n : (size_t)blank);
        v = getenv(str_z(a, name));
        names = blank < 0 ? STR_NULL : str_sub(names, (size_t)blank + 1, names.n);
    }
    return v;
}

static bool read_environment(struct arena *a, struct config *c, int *listens, struct error *err)
{
    const char *port = getenv("PORT");      /* the original's: the port of all interfaces */
    for (int i = 0; i < SETTINGS; i++) {
        const char *v = from_environment(a, &settings[i]);
        if (v && *v && !set(a, c, &settings[i], v, listens, err))
            return false;
    }
    if (!*listens && port && *port) {
        int64_t n;
        if (!str_to_i64(str_of(port), &n) || n < 0 || n > 65535)
            return error_set(err, ERROR_BAD_INPUT, "PORT must be a number from 0 to 65535, not '%s'", port);
        return set_listen(a, c, str_fmt(a, "0.0.0.0:%s", port).p, listens, err);
    }
    return true;
}

static bool read_flags(struct arena *a, int argc, char **argv, struct config *c, int listens_of_environment, struct error *err)
{
    int listens = 0;
    for (int i = 0; i < argc; i++) {
        const char *arg = argv[i], *value = NULL;
        const struct setting *s = NULL;
        if (strncmp(arg, "--", 2))
            return error_set(err, ERROR_BAD_INPUT, "Unexpected argument '%s' (see carillon help)", arg);
        size_t n = strcspn(arg + 2, "=");
        for (int k = 0; k < SETTINGS && !s; k++)
            if (strlen(settings[k].flag) == n && !strncmp(settings[k].flag, arg + 2, n))
                s = &settings[k];
        if (!s)
            return error_set(err, ERROR_BAD_INPUT, "Unknown option '%.*s' (see carillon help)", (int)n + 2, arg);
        if (arg[2 + n] == '=')
            value = arg + 3 + n;
        else if (s->values && !strcmp(s->values, "on|off") && (i + 1 == argc || !strncmp(argv[i + 1], "--", 2)))
            value = "on";                   /* a switch may stand alone */
        else if (i + 1 < argc)
            value = argv[++i];
        else
            return error_set(err, ERROR_BAD_INPUT, "--%s needs a value", s->flag);
        if (!set(a, c, s, value, &listens, err))
            return false;
    }
    if (!listens && !listens_of_environment)
        return set_listen(a, c, "127.0.0.1:3000", &listens, err);
    return true;
}

bool config_read(struct arena *a, int argc, char **argv, struct config *c, struct error *err)
{
    int listens = 0;
    *c = (struct config){.listen = {NULL}};
    for (int i = 0; i < SETTINGS; i++)
        if (settings[i].otherwise && settings[i].at != AT(listen))
            *slot(c, &settings[i]) = settings[i].otherwise;
    if (!read_environment(a, c, &listens, err) || !read_flags(a, argc, argv, c, listens, err))
        return false;
    return true;
}

struct str config_help(struct arena *a)
{
    struct buf b = {.arena = a};
    for (int i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];
        buf_fmt(&b, "  --%-24s %s\n  %-26s %s%s%s%s\n", s->flag, s->help, "", s->variable, s->otherwise ? ", default " : "",
                s->otherwise ? s->otherwise : "", s->values ? str_fmt(a, " (%s)", s->values).p : "");
    }
    return buf_finish(&b);
}

struct str config_markdown(struct arena *a)
{
    struct buf b = {.arena = a};
    buf_z(&b, "| flag | variable | default | meaning |\n|---|---|---|---|\n");
    for (int i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];
        buf_fmt(&b, "| `--%s` | `%s`%s%s%s | %s%s%s | %s |\n", s->flag, s->variable, s->aliases ? " (also `" : "",
                s->aliases ? s->aliases : "", s->aliases ? "`)" : "", s->otherwise && *s->otherwise ? "`" : "",
                s->otherwise ? s->otherwise : "", s->otherwise && *s->otherwise ? "`" : "", s->help);
    }
    buf_z(&b, "\nAccepted from installations of the original and without meaning here: ");
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
