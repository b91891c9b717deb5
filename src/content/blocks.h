/* Block documents (Maily JSON, the dashboard's e-mail editor) as e-mail-safe HTML (content.md §4.1–4.4).
 *
 * A document is compiled once per workflow version into a program: what holds no variable is finished HTML, every
 * variable leaf a Liquid program, conditions and repetitions are lists that are looked at while rendering. A render
 * writes into one buffer and allocates only from the arena it is given. The program is immutable; threads may share it.
 *
 * The HTML is upstream's without its artefacts (comments, preload links, data-id). Where we differ on purpose:
 * showIfKey and nested repetitions count inside of repetitions too, an array is iterated as it is instead of being
 * printed and parsed again, and CSS that cannot be inlined is kept in a <style> element.
 */
#ifndef CONTENT_BLOCKS_H
#define CONTENT_BLOCKS_H

#include "content/liquid.h"

struct blocks;

/* Compiles a document (`{"type":"doc","content":[…]}`; anything else is an empty one). a and doc must outlive it. What is
 * wrong with it (`Node type "x" is not supported.`, a Liquid error) is reported by blocks_render, as upstream does. */
struct blocks *blocks_compile(struct arena *a, yyjson_val *doc);

struct blocks_options {
    bool document;              /* with <html>, head and body around; else only the nodes (a layout follows) */
    struct str preheader;       /* plain text of the invisible first line; only in documents */
};

/* Appends the HTML to out, at most ctx->output_max (10 MiB) of it. false: err says why nothing can be sent. */
bool blocks_render(const struct blocks *b, const struct liquid_context *ctx, const struct blocks_options *o, struct arena *a,
                   struct buf *out, struct error *err);

/* The document after variables, conditions, repetitions and Liquid, as upstream hands it to its renderer; *out is in a. */
bool blocks_tree(const struct blocks *b, const struct liquid_context *ctx, struct arena *a, yyjson_val **out,
                 struct error *err);

/* The document as a chat's card: {type: "card", children: [text | image | divider | actions]}, in a. false also when it has
 * nothing to show. */
bool blocks_card(const struct blocks *b, const struct liquid_context *ctx, struct arena *a, yyjson_val **card, struct error *err);
/* The same of a document as it is written, its variables unrendered; NULL: it has nothing to show. */
yyjson_val *blocks_card_draft(struct arena *a, yyjson_val *doc);
/* Such a card as Markdown, for chats that know none. */
struct str blocks_card_text(struct arena *a, yyjson_val *card);

/* Appends the hidden preheader element for plain text; nothing for an empty one. */
void blocks_preheader(struct buf *out, struct str text);

#endif
