/* A message with its subscriber and payload. */
#include "api/message_view.h"

#include "model/event.h"
#include "model/run.h"

struct str message_payload(struct request *rq, const struct message *m)
{
    struct error missing = {0};
    struct run_row run;
    struct event event;
    yyjson_val *doc = NULL;
    struct db *db = app_db(rq);
    if (run_find(db, rq->arena, m->environment, m->run, &run, &missing)
        && event_find(db, rq->arena, m->environment, run.event, &event, &missing))
        json_parse(rq->arena, event.doc, &doc, NULL);
    yyjson_val *payload = json_get(doc, "payload");
    return payload ? message_payload_text(rq->arena, payload) : STR_NULL;
}

yyjson_mut_val *message_view_json(struct request *rq, yyjson_mut_doc *d, const struct message *m)
{
    struct subscriber s;
    struct error missing = {0};
    yyjson_val *doc = NULL;
    bool known = subscriber_find_by_id(app_db(rq), rq->arena, m->environment, m->subscriber, &s, &missing);
    json_parse(rq->arena, m->doc, &doc, NULL);
    return message_json(d, m, doc, rq->principal.organization, known ? &s : NULL, message_payload(rq, m));
}
