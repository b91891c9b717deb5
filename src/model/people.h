/* The people whom triggers name, kept from one trigger to the next: who is named once is mostly named again, and to ask the
 * store each time costs more than all the rest of planning.
 *
 * One process, one writer: every statement that changes a subscriber, or gives one a preference, is a note here, made on the
 * writer's connection before its transaction commits. A note is a number, the count of notes so far, kept by a hash of whom it
 * is about; what was read when fewer notes were known to be committed (the mark) is stale from the note on. So nobody plans
 * with less than what was committed before. A store that other processes write, too (PostgreSQL), has no such memory.
 *
 * Threads: any, but for what is said to be the writer's. Memory: PEOPLE_KEPT at most, and none of more than PERSON_TEXT_MAX
 * bytes of texts: some 12 MB for as many people.
 */
#ifndef MODEL_PEOPLE_H
#define MODEL_PEOPLE_H

#include "model/subscriber.h"

enum { PEOPLE_KEPT = 32768, PERSON_TEXT_MAX = 1024 };

struct people;

/* Whom it was read of, and when; zero: nobody. */
struct people_stamp {
    uint64_t name, id, mark;
};

struct person {
    struct people_stamp stamp;
    struct subscriber row;
    bool no_preferences;                /* has none whatever: preference_for_run finds nothing */
};

/* Of the connection that writes, on its thread: a new reference; NULL under PostgreSQL. It lives at least as long as that
 * connection. */
struct people *people_of(struct db *writer);
void people_unref(struct people *p);    /* accepts NULL */

/* Texts in a. false: not known, or stale. */
bool people_find(struct people *p, struct arena *a, struct id environment, struct str subscriber_id, struct person *out);
/* Reads from the store, and keeps it; ERROR_NOT_FOUND if missing, which is not kept. mark: people_mark, taken before db began
 * to read what it sees now. */
uint64_t people_mark(const struct people *p);
bool people_load(struct people *p, struct db *db, uint64_t mark, struct arena *a, struct id environment, struct str subscriber_id,
                 struct person *out, struct error *err);

/* Keeps who has just been made, as in row, in a transaction that has committed; noted: people_noted behind that. */
void people_keep_new(struct people *p, uint64_t noted, const struct subscriber *row);

/* In a transaction of any connection, by the statements themselves; of one that nobody follows they are lost. */
void people_note_name(struct db *db, struct id environment, struct str subscriber_id);
void people_note_id(struct db *db, struct id subscriber);
void people_note_all(struct db *db);

/* The writer's, in a transaction: are they as they were read, and so still there? */
bool people_unchanged(const struct people *p, const struct people_stamp *s);
/* The writer's: what was noted until now, and, once the transaction in which that was asked has committed, that it is so. */
uint64_t people_noted(const struct people *p);
void people_settled(struct people *p, uint64_t noted);

#endif
