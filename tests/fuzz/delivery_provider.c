/* Answers of providers as their declarations read them, and cards of chats, which people write. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "delivery/provider_private.h"

static struct providers *providers;

static void read_answer(struct template_scope *t, yyjson_val *declaration, struct str body)
{
    struct http_response r = {.status = 200, .body = body};
    yyjson_val *variants = json_get(declaration, "variants"), *v = NULL;
    for (size_t k = 0; k <= yyjson_arr_size(variants); k++) {
        yyjson_val *res = json_get(k ? yyjson_arr_get(variants, k - 1) : declaration, "res");
        struct error err = {0};
        t->err = &err;
        t->response = &r;
        t->answer = json_parse(t->arena, body, &v, NULL) ? yyjson_val_mut_copy(t->doc, v) : NULL;
        static const char *const rules[] = {"ok", "retry", "final"}, *const paths[] = {"id", "err", "retryAfter"};
        for (size_t i = 0; i < 3; i++) {
            template_value(t, json_get_str(res, rules[i]));
            template_path(t, json_get_str(res, paths[i]));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const ids[][2] = {{"sms", "twilio"}, {"sms", "sns"}, {"email", "ses"}, {"email", "mandrill"}, {"sms", "gupshup"},
                                         {"sms", "firetext"}, {"chat", "slack"}, {"chat", "msteams"}, {"push", "expo"}, {"email", "braze"},
                                         {"sms", "infobip-sms"}, {"sms", "mobishastra"}, {"sms", "azure-sms"}, {"push", "fcm"}, {"chat", "telegram"},
                                         {"sms", "sms77"}, {"sms", "isendpro-sms"}, {"sms", "maqsam"}};
    struct arena *a = arena_create(0);
    yyjson_val *v;
    if (!providers)
        providers = providers_create();
    if (size < 2)
        return arena_destroy(a), 0;
    struct template_scope t = {.arena = a, .doc = json_doc(a), .now_ms = 1};
    t.roots = yyjson_mut_obj(t.doc);
    struct str rest = str_dup(a, (struct str){(const char *)data + 1, size - 1});
    size_t which = data[0] % (sizeof ids / sizeof *ids + 2);
    if (which < sizeof ids / sizeof *ids) {
        read_answer(&t, providers_find(providers, str_of(ids[which][0]), str_of(ids[which][1])), rest);
    } else if (which == sizeof ids / sizeof *ids) {
        struct error err = {0};
        t.err = &err;
        template_value(&t, rest);
    } else if (json_parse(a, rest, &v, NULL)) {
        yyjson_mut_val *card = yyjson_val_mut_copy(t.doc, v), *m = yyjson_mut_obj(t.doc);
        yyjson_mut_obj_add_val(t.doc, m, "card", yyjson_val_mut_copy(t.doc, v));
        card_slack_blocks(&t, card);
        card_adaptive(&t, card);
        card_telegram(&t, card);
        card_markdown(&t, card);
        card_whatsapp(&t, m);
        push_fcm_message(&t, card, card);
        push_apns_body(&t, card, card);
        yyjson_mut_val *cased = body_cased(&t, v, STR("snake"), NULL);
        body_form(&t, body_merge(&t, cased, card), true);
    }
    arena_destroy(a);
    return 0;
}
