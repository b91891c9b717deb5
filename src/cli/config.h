/* Settings: one table of flags and environment variables (decisions.md 22). docs/configuration.md is made from it. */
#ifndef CLI_CONFIG_H
#define CLI_CONFIG_H

#include "base/error.h"
#include "base/str.h"

enum { LISTEN_MAX = 8 };

struct config {
    const char *data_dir, *database_url;
    const char *listen[LISTEN_MAX + 1];
    const char *clock, *log, *log_level;
    const char *public_url, *context_path;
    const char *secret_key, *application_identifier, *jwt_secret, *encryption_key;
    const char *delivery_sink, *capture_deliveries, *recipients_max, *defer_hours_max, *snooze_hours_max, *keyless, *retention_days, *retention_in_app_days, *workflows_max, *metrics_token, *origins, *outbound_allow;
    const char *workers, *loops;
    const char *rate_limit, *service_level;
    const char *demo;
};

/* Fills c from the environment, then from argv (flags win). Unknown flags and bad values are errors that name them. */
bool config_read(struct arena *a, int argc, char **argv, struct config *c, struct error *err);
/* What holds where nothing is said, but nowhere to listen. */
void config_default(struct config *c);
/* One line a setting: flags, variable, default, meaning. */
struct str config_help(struct arena *a);
/* Markdown table for docs/configuration.md. */
struct str config_markdown(struct arena *a);


/* One log line for each variable of the original that is set and means nothing here. */
void config_log_ignored(void);

#endif
