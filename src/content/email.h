/* What an e-mail step says: body, layout, clean-up, sanitising, preheader (content.md §4.4–4.6).
 *
 * Bodies are compiled once (per workflow version, per layout) and rendered for each message; both kinds go through here,
 * for the engine and for previews. Pure: layouts and translations are handed in.
 */
#ifndef CONTENT_EMAIL_H
#define CONTENT_EMAIL_H

#include "content/liquid.h"
#include "content/translate.h"

enum { EMAIL_LARGE = 100000 };      /* bytes of HTML; more is cut off by some mail clients */

struct email_body;

/* Compiles the body of a step or layout: a block document when text is a JSON object or array, else HTML with Liquid.
 * text must outlive it. What is wrong with it is reported by email_render, as upstream does. Immutable. */
const struct email_body *email_body_compile(struct arena *a, struct str text);
bool email_body_is_block(const struct email_body *b);
/* The same body with a reader's texts for its keys; b itself if it has none. */
const struct email_body *email_body_translate(struct arena *a, const struct email_body *b, const struct reader_texts *texts);

/* Does a chat step with these values say what a block document says? Then its body, else NULL: text stands for itself, whatever
 * it looks like, where editorType says so, and what is no block document is text always. */
const struct email_body *email_body_of_chat(struct arena *a, yyjson_val *values);
/* A block document as a card, and as Markdown; texts: what {{t.key}} stands for, NULL: keys stay. Both are in a. */
struct chat_content {
    yyjson_val *card;
    struct str text;
};
bool email_body_chat(const struct email_body *b, const struct reader_texts *texts, const struct liquid_context *ctx, struct arena *a,
                     struct chat_content *out, struct error *err);

/* The body of a layout whose values were taken away: the content as it is. */
#define EMAIL_LAYOUT_NONE "{{content}}"

struct email_layout {
    struct str name, identifier, id;    /* id: 24 hexadecimal digits; a layout is chosen by either */
    const struct email_body *body;      /* shows the variable `content` */
};

struct email_input {
    const struct email_body *body;
    struct str subject, preheader;      /* rendered control values; no preheader: empty */
    const struct email_layout *layout;  /* NULL: none */
    bool raw;                           /* disableOutputSanitization */
    /* What {{t.key}} stands for in subject and body, and in the layout (content.md §5). NULL: keys stay as they are. */
    const struct reader_texts *texts, *layout_texts;
};

struct email_output {
    struct str subject, html;
    bool large;                         /* html is longer than EMAIL_LARGE */
};

/* Renders with ctx's variables; everything is in a. false: err is the sentence for the execution detail. */
bool email_render(const struct email_input *in, const struct liquid_context *ctx, struct arena *a, struct email_output *out,
                  struct error *err);

/* A subject without what the sanitiser takes out. It is plain text: the & < > that HTML needs escaped stand for
 * themselves again, or "Terms & Conditions" would arrive as "Terms &amp; Conditions" (upstream leaves it so). */
struct str email_subject_clean(struct arena *a, struct str subject);

/* A step's HTML without doctype and comments, its paragraphs of white space emptied. */
struct str email_clean(struct arena *a, struct str html);

#endif
