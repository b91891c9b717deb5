#include "cli/test_report.h"

#include <errno.h>

/* Each line of text behind a prefix. */
static void lines_put(FILE *out, const char *prefix, struct str text)
{
    while (text.n) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) : text.n;
        fprintf(out, "%s%.*s\n", prefix, (int)n, text.p);
        text = str_sub(text, end ? n + 1 : n, text.n);
    }
}

/* label: with what stands behind it. */
static void labelled(FILE *out, const char *label, const char *prefix, struct str text)
{
    if (!text.n)
        return;
    fprintf(out, "%s\n", label);
    lines_put(out, prefix, text);
}

static void text_case(const struct report *r, const struct report_case *c)
{
    const struct test_outcome *o = &c->outcome;
    fprintf(r->out, "%s %s: %.*s (%lld ms)\n", o->failures_n ? "FAILED" : "ok    ", c->path, STR_ARG(c->name), (long long)(o->real_us / 1000));
    for (size_t i = 0; i < o->failures_n; i++) {
        const struct test_failure *f = &o->failures[i];
        fprintf(r->out, "\n  %s:%d\n", c->path, f->line);
        labelled(r->out, "    expected:", "      ", f->expected);
        labelled(r->out, "    actual:", "      ", f->actual);
        labelled(r->out, "    why:", "      ", f->why);
    }
    if (!o->failures_n)
        return;
    labelled(r->out, "\n  what happened:", "    ", o->timeline);
    fputc('\n', r->out);
}

/* In a description of TAP # begins a directive, and a backslash hides what follows it. */
static void tap_name(const struct report *r, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '#' || s.p[i] == '\\')
            fputc('\\', r->out);
        fputc((unsigned char)s.p[i] < ' ' ? ' ' : s.p[i], r->out);
    }
}

/* Texts in a block of YAML: literal ones, so that nothing needs to be quoted. */
static void tap_case(const struct report *r, const struct report_case *c)
{
    const struct test_outcome *o = &c->outcome;
    fprintf(r->out, "%sok %zu - ", o->failures_n ? "not " : "", r->cases_n);
    tap_name(r, c->name);
    fprintf(r->out, "\n  ---\n  duration_ms: %lld.%03lld\n", (long long)(o->real_us / 1000), (long long)(o->real_us % 1000));
    if (o->failures_n)
        fputs("  failures:\n", r->out);
    for (size_t i = 0; i < o->failures_n; i++) {
        const struct test_failure *f = &o->failures[i];
        fprintf(r->out, "    - at: '%s:%d'\n", c->path, f->line);
        labelled(r->out, "      expected: |2", "        ", f->expected);
        labelled(r->out, "      actual: |2", "        ", f->actual);
        labelled(r->out, "      why: |2", "        ", f->why);
    }
    if (o->failures_n)
        labelled(r->out, "  timeline: |2", "    ", o->timeline);
    fputs("  ...\n", r->out);
}

void report_case(struct report *r, const struct report_case *c)
{
    if (!r->cases_n && r->form == REPORT_TAP)
        fputs("TAP version 14\n", r->out);
    *ARENA_SLOT(r->arena, r->cases, r->cases_n, r->cases_cap) = *c;
    r->failed += c->outcome.failures_n > 0;
    if (r->form == REPORT_TAP)
        tap_case(r, c);
    else
        text_case(r, c);
    fflush(r->out);
}

void report_end(struct report *r)
{
    int64_t us = 0, passed = 0;
    for (size_t i = 0; i < r->cases_n; i++) {
        us += r->cases[i].outcome.real_us;
        passed += r->cases[i].outcome.passed_ms;
    }
    if (r->form == REPORT_TAP)
        fprintf(r->out, "1..%zu\n# pass %zu\n# fail %zu\n", r->cases_n, r->cases_n - r->failed, r->failed);
    else
        fprintf(r->out, "\n%zu passed, %zu failed; %lld days went by in %lld ms\n", r->cases_n - r->failed, r->failed,
                (long long)(passed / 86400000), (long long)(us / 1000));
    fflush(r->out);
}

/* --- JUnit ------------------------------------------------------------------------------------------------------------ */

/* Text of XML 1.0: what it cannot say is shown as a question mark. */
static void xml_put(FILE *out, struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '&' || c == '<' || c == '>' || c == '"')
            fputs(c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : "&quot;", out);
        else if (c == '\n')
            fputs("&#10;", out);
        else
            fputc(c < ' ' && c != '\t' ? '?' : c, out);
    }
}

static void xml_block(FILE *out, const char *label, struct str s)
{
    if (!s.n)
        return;
    fprintf(out, "%s:\n", label);
    while (s.n) {
        const char *end = memchr(s.p, '\n', s.n);
        size_t n = end ? (size_t)(end - s.p) : s.n;
        fputs("  ", out);
        xml_put(out, str_sub(s, 0, n));
        fputc('\n', out);
        s = str_sub(s, end ? n + 1 : n, s.n);
    }
}

static void junit_case(FILE *out, const struct report_case *c)
{
    const struct test_outcome *o = &c->outcome;
    fputs("    <testcase name=\"", out);
    xml_put(out, c->name);
    fputs("\" classname=\"", out);
    xml_put(out, str_of(c->path));
    fprintf(out, "\" file=\"");
    xml_put(out, str_of(c->path));
    fprintf(out, "\" line=\"%d\" time=\"%.6f\">\n", c->line, (double)o->real_us / 1e6);
    for (size_t i = 0; i < o->failures_n; i++) {
        const struct test_failure *f = &o->failures[i];
        fputs("      <failure message=\"expected ", out);
        xml_put(out, str_cut(f->expected, 300));
        fputs("\">", out);
        xml_put(out, str_of(c->path));
        fprintf(out, ":%d\n", f->line);
        xml_block(out, "expected", f->expected);
        xml_block(out, "actual", f->actual);
        xml_block(out, "why", f->why);
        fputs("</failure>\n", out);
    }
    if (o->timeline.n) {
        fputs("      <system-out>", out);
        xml_block(out, "what happened", o->timeline);
        fputs("</system-out>\n", out);
    }
    fputs("    </testcase>\n", out);
}

/* The cases of one file stand side by side; returns the first that is not of it. */
static size_t junit_suite(const struct report *r, FILE *out, size_t i)
{
    size_t end = i, failed = 0;
    int64_t us = 0;
    for (; end < r->cases_n && !strcmp(r->cases[end].path, r->cases[i].path); end++) {
        failed += r->cases[end].outcome.failures_n > 0;
        us += r->cases[end].outcome.real_us;
    }
    fputs("  <testsuite name=\"", out);
    xml_put(out, str_of(r->cases[i].path));
    fprintf(out, "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" time=\"%.6f\">\n", end - i, failed, (double)us / 1e6);
    for (; i < end; i++)
        junit_case(out, &r->cases[i]);
    fputs("  </testsuite>\n", out);
    return end;
}

bool report_junit(const struct report *r, const char *path, struct error *err)
{
    FILE *out = fopen(path, "we");
    if (!out)
        return error_set(err, ERROR_IO, "%.300s cannot be written: %s", path, strerror(errno));
    fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"%zu\" failures=\"%zu\">\n", r->cases_n, r->failed);
    for (size_t i = 0; i < r->cases_n;)
        i = junit_suite(r, out, i);
    fputs("</testsuites>\n", out);
    bool ok = !ferror(out);
    ok = !fclose(out) && ok;
    return ok || error_set(err, ERROR_IO, "%.300s cannot be written", path);
}
