/* Structured log lines on stderr: a level, an event, and key-value pairs.
 *
 * log_info("listening", "addr", "127.0.0.1:3000", NULL): keys and values alternate, NULL ends.
 * Values are C strings; format numbers with LOG_INT(n). Never give a secret, token, body or a URL with a
 * query: what is logged is public to operators. One line is one write: lines of threads do not mix.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_NONE };

/* Called once at start, before other threads. */
void log_setup(enum log_level least, bool json);
void log_write(enum log_level level, const char *event, ...) __attribute__((sentinel));

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

struct log_int { char text[24]; };
struct log_int log_int_of(int64_t n);
#define LOG_INT(n) (log_int_of((int64_t)(n)).text)

#endif
