/* Rules for values of settings. Each says true when the value is good; the table in config.c has the words for it. */
#ifndef CLI_CONFIG_CHECK_H
#define CLI_CONFIG_CHECK_H

#include <stdbool.h>

enum { LOOPS_MAX = 8, COUNT_MAX = 1000000, WORKERS_MAX = 64, ORIGINS_MAX = 16 };

bool check_path(const char *v);
bool check_listen(const char *v);           /* one or several, separated by commas */
bool check_port(const char *v);
bool check_postgres(const char *v);
bool check_url(const char *v);              /* http(s)://host… */
bool check_sink(const char *v);             /* http(s)://host[:port] */
bool check_origins(const char *v);
bool check_context_path(const char *v);
bool check_key(const char *v);              /* 16–256 printable ASCII characters without blanks */
bool check_secret(const char *v);           /* 16 characters or more */
bool check_token(const char *v);            /* 1–256 printable ASCII characters without blanks */
bool check_identifier(const char *v);       /* 4–63 of letters, digits, "_" and "-" */
bool check_workers(const char *v);
bool check_loops(const char *v);
bool check_outbound(const char *v);
bool check_count(const char *v);            /* 0–1,000,000 */

#endif
