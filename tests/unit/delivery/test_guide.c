/* The table of providers in docs/providers.md is what the declarations, the reports that are understood, and the recorded
 * facts say. `delivery_test_guide --print` writes the table as it should be; scripts/docs.sh puts it there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "declared.h"
#include "delivery/provider_private.h"
#include "delivery/status_event.h"
#include "support/data.h"

#define YES "yes"
#define NO "–"

static bool says(struct str declaration, const char *part)
{
    return str_find(declaration, str_of(part)) >= 0;
}

/* Those that get the whole mail, as it is or as its members. */
static bool takes_all(struct str d)
{
    return says(d, "http+mime") || says(d, "\"{{m}}\"");
}

static const char *attachments_of(struct str d)
{
    bool any = takes_all(d) || says(d, "m.attachments") || says(d, "files(");
    bool inside = takes_all(d) || says(d, "cid=") || says(d, "a.cid") || says(d, "files(cid") || says(d, ", cid)");
    return inside ? "yes, in the text too" : any ? YES : NO;
}

static const char *yes_if(bool it_is)
{
    return it_is ? YES : NO;
}

static const char *copies_of(struct str d)
{
    bool cc = says(d, "m.cc"), bcc = says(d, "m.bcc");
    return takes_all(d) || (cc && bcc) ? "cc, bcc" : cc ? "cc" : bcc ? "bcc" : NO;
}

static const char *cards_of(struct str d)
{
    return says(d, "m.card") || says(d, "waMessage") ? "its own form" : "text";
}

static const char *reports_of(const struct provider *p, yyjson_val *d)
{
    const char *id, *timestamp, *value;
    bool is_signed = status_event_by_sns(str_of(p->id)) || status_signature_headers(str_of(p->id), &id, &timestamp, &value);
    if (!status_event_known(str_of(p->id)))
        return NO;
    if (!strcmp(p->channel, "push"))
        return "from your app";
    if (json_get(json_get(d, "hook"), "steps"))
        return "signed, set up by the server";
    return is_signed ? "signed" : YES;
}

static void row_put(struct buf *b, const struct provider *p, struct arena *a)
{
    yyjson_val *d = data_json(a, str_fmt(a, SOURCE_DIR "/providers/%s.json", p->name).p);
    yyjson_val *facts = data_json(a, str_fmt(a, TESTDATA "/providers/%s.json", p->name).p);
    struct str text = json_write(a, d);
    bool mail = !strcmp(p->channel, "email"), chat = !strcmp(p->channel, "chat");
    buf_fmt(b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s | %zu |\n", p->channel, p->id, mail ? attachments_of(text) : "",
            mail ? copies_of(text) : "", mail ? yes_if(takes_all(text) || says(text, "m.replyTo")) : "",
            mail ? yes_if(takes_all(text) || says(text, "m.headers")) : "", chat ? cards_of(text) : "", reports_of(p, d),
            yes_if(json_get(d, "check") != NULL), yyjson_arr_size(json_get(facts, "cases")));
}

static struct str table(struct arena *a)
{
    static struct provider list[PROVIDERS_MAX];
    static const char *const by_smtp[] = {"emailjs", "nodemailer", "outlook365"};
    struct buf b = {.arena = a};
    size_t n = providers_list(SOURCE_DIR "/providers", list);
    buf_z(&b, "| Channel | Provider | Attachments | Copies | Reply-to | Headers | Cards | Delivery reports | Credentials asked | Facts |\n"
              "|---|---|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < n; i++)
        row_put(&b, &list[i], a);
    for (size_t i = 0; i < sizeof by_smtp / sizeof *by_smtp; i++)
        buf_fmt(&b, "| email | %s (SMTP) | yes, in the text too | cc, bcc | yes | yes |  | – | yes | |\n", by_smtp[i]);
    return buf_finish(&b);
}

static void the_guide_has_the_table(void **state)
{
    struct arena *a = arena_create(0);
    struct str guide = data_text(a, SOURCE_DIR "/docs/providers.md"), want = table(a);
    (void)state;
    if (str_find(guide, str_fmt(a, "<!-- providers -->\n%.*s<!-- end -->", STR_ARG(want))) < 0)
        fail_msg("docs/providers.md is not what the declarations say: run scripts/docs.sh");
    arena_destroy(a);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_guide_has_the_table)};
    if (argc == 2 && !strcmp(argv[1], "--print")) {
        struct arena *a = arena_create(0);
        fputs(table(a).p, stdout);
        arena_destroy(a);
        return 0;
    }
    return cmocka_run_group_tests_name("guide", tests, NULL, NULL);
}
