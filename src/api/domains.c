/* /v1/domains: names that mail may come in by, and where mail to their addresses goes (rest-api.md §6.17).
 *
 * This server takes no mail in: it keeps what is declared, a domain stays "pending" and asks for no DNS records, and the
 * questions that only a mail server's name could answer are refused with the contract's words for that.
 */
#include "api/paging.h"
#include "api/row_write.h"
#include "api/tables.h"
#include "model/agent.h"
#include "model/domain.h"

#define NO_MAIL_SERVER "MAIL_SERVER_DOMAIN is not defined as an environment variable"

enum { SHOWN = 100 };                   /* bytes of a name in an error */

struct domain_write {
    struct row_write w;
    struct domain row;
};

struct route_write {
    struct row_write w;
    struct domain domain;
    struct domain_route row;
};

/* --- wire forms -------------------------------------------------------------------------------------------- */

static yyjson_mut_val *domain_json(struct request *rq, yyjson_mut_doc *d, const struct domain *x)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", x->id);
    json_add_str(d, o, "name", x->name);
    json_add_str(d, o, "status", STR("pending"));
    json_add_bool(d, o, "mxRecordConfigured", false);
    json_add_text(d, o, "data", x->data);
    json_add_arr(d, o, "expectedDnsRecords");
    json_add_id(d, o, "_environmentId", x->environment);
    json_add_id(d, o, "_organizationId", rq->principal.organization);
    json_add_time(d, o, "createdAt", x->created_at);
    json_add_time(d, o, "updatedAt", x->updated_at);
    return o;
}

static struct str route_type(const struct domain_route *r)
{
    return r->agent.p ? STR("agent") : STR("webhook");
}

static yyjson_mut_val *route_json(struct request *rq, yyjson_mut_doc *d, const struct domain_route *r)
{
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_id(d, o, "_id", r->id);
    json_add_id(d, o, "_domainId", r->domain);
    json_add_str(d, o, "address", r->address);
    json_add_str(d, o, "type", route_type(r));
    if (r->agent.p)
        json_add_str(d, o, "agentId", r->agent);
    json_add_text(d, o, "data", r->data);
    json_add_id(d, o, "_environmentId", r->environment);
    json_add_id(d, o, "_organizationId", rq->principal.organization);
    json_add_time(d, o, "createdAt", r->created_at);
    json_add_time(d, o, "updatedAt", r->updated_at);
    return o;
}

/* --- reading a request ------------------------------------------------------------------------------------- */

static struct str lower(struct arena *a, struct str s)
{
    struct buf b = {.arena = a};
    for (size_t i = 0; i < s.n; i++)
        buf_char(&b, s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] + 32) : s.p[i]);
    return buf_finish(&b);
}

/* Few short texts: a label, not a store. False: the body has none. */
static bool data_read(struct checks *c, struct str *out)
{
    yyjson_val *data = check_object(c, c->rq->json, "data", false), *k;
    size_t chars = 0;
    if (!data)
        return false;
    yyjson_obj_iter it = yyjson_obj_iter_with(data);
    while ((k = yyjson_obj_iter_next(&it))) {
        yyjson_val *v = yyjson_obj_iter_get_val(k);
        if (!yyjson_is_str(v))
            check_fail(c, "data.%.*s must be a string", (int)str_sub(json_str(k), 0, SHOWN).n, yyjson_get_str(k));
        chars += yyjson_get_len(k) + yyjson_get_len(v);
    }
    if (yyjson_obj_size(data) > DOMAIN_DATA_KEYS_MAX)
        check_fail(c, "data must have at most %d keys", DOMAIN_DATA_KEYS_MAX);
    if (chars > DOMAIN_DATA_CHARS_MAX)
        check_fail(c, "data must not be longer than %d characters in total", DOMAIN_DATA_CHARS_MAX);
    *out = json_write(c->rq->arena, data);
    return true;
}

static bool find(struct request *rq, struct domain *x, struct error *err)
{
    struct str name = lower(rq->arena, request_param(rq, "domain"));
    if (domain_find(app_db(rq), rq->arena, rq->principal.environment, name, x, err))
        return true;
    return err->code == ERROR_NOT_FOUND ? error_http(err, 404, "Domain \"%.*s\" not found.", STR_ARG(str_sub(name, 0, SHOWN))) : false;
}

static bool load(struct request *rq, struct domain *x)
{
    struct error err = {0};
    if (find(rq, x, &err))
        return true;
    reply_error(rq, &err);
    return false;
}

/* The domain of the path and its route for the address of the path. */
static bool load_route(struct request *rq, struct domain *x, struct domain_route *r)
{
    struct str address = lower(rq->arena, str_trim(request_param(rq, "address")));
    struct error err = {0};
    if (find(rq, x, &err) && domain_route_find(app_db(rq), rq->arena, x->id, address, r, &err))
        return true;
    if (err.code == ERROR_NOT_FOUND && !id_is_zero(x->id))
        error_http(&err, 404, "Route \"%.*s@%.*s\" not found.", STR_ARG(str_sub(address, 0, SHOWN)), STR_ARG(str_sub(x->name, 0, SHOWN)));
    reply_error(rq, &err);
    return false;
}

/* --- domains ----------------------------------------------------------------------------------------------- */

static bool domain_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct domain_write *x = (struct domain_write *)w;
    if (x->w.change == UPDATE)
        return domain_update(db, &x->row, err);
    if (x->w.change == ERASE)
        return domain_delete(db, &x->row, err);
    return domain_insert(db, &x->row, err)
        || (err->code == ERROR_CONFLICT
            && error_http(err, 409, "A domain with name \"%.*s\" already exists.", STR_ARG(str_sub(x->row.name, 0, SHOWN))));
}

static yyjson_mut_val *domain_item(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    return domain_json(rq, d, (const struct domain *)items + i);
}

static struct domain_write *domain_write_new(struct request *rq, enum row_change change)
{
    struct domain_write *x = ARENA_NEW(rq->arena, struct domain_write);
    row_write_init(&x->w, change, &x->row, domain_apply, domain_item);
    x->w.w.flags = WRITE_HOLDS;
    return x;
}

static void handle_create(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct domain_write *x = domain_write_new(rq, CREATE);
    x->row = (struct domain){.id = app_id(rq), .environment = rq->principal.environment, .created_at = app_now(rq), .updated_at = app_now(rq)};
    x->row.name = lower(rq->arena, str_trim(check_string(&c, rq->json, "name", true)));
    if (x->row.name.n && !domain_name_valid(x->row.name))
        check_fail(&c, "name must be a valid domain name");
    data_read(&c, &x->row.data);
    if (checks_done(&c))
        api_write(rq, &x->w.w);
}

static void handle_update(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct domain_write *x = domain_write_new(rq, UPDATE);
    if (!load(rq, &x->row))
        return;
    data_read(&c, &x->row.data);
    x->row.updated_at = app_now(rq);
    if (checks_done(&c))
        api_write(rq, &x->w.w);
}

static void handle_delete(struct request *rq)
{
    struct domain_write *x = domain_write_new(rq, ERASE);
    if (load(rq, &x->row))
        api_write(rq, &x->w.w);
}

static void handle_get(struct request *rq)
{
    struct domain x;
    if (load(rq, &x))
        reply_json(rq, 0, domain_json(rq, json_doc(rq->arena), &x));
}

static void handle_list(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct page_query q = {0};
    struct page page;
    struct error err = {0};
    if (!paging_read(&c, "createdAt", &q))
        return;
    struct str name = lower(rq->arena, request_query(rq, "name"));
    if (domain_list(app_db(rq), rq->arena, rq->principal.environment, &q, name, &page, &err))
        reply_page(rq, json_doc(rq->arena), &page, domain_item);
    else
        reply_error(rq, &err);
}

static void handle_unavailable(struct request *rq)
{
    struct domain x;
    if (load(rq, &x))
        reply_fail(rq, 400, NO_MAIL_SERVER);
}

static void handle_auto_configure(struct request *rq)
{
    struct domain x;
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    if (!load(rq, &x))
        return;
    json_add_bool(d, o, "available", false);
    json_add_str(d, o, "reason", STR(NO_MAIL_SERVER));
    json_add_str(d, o, "reasonCode", STR("disabled"));
    json_add_arr(d, o, "manualRecords");
    reply_json(rq, 0, o);
}

/* --- routes ------------------------------------------------------------------------------------------------ */

/* The agent of a route must be there when the route is written. */
static bool agent_known(struct request *rq, struct db *db, const struct domain_route *r, struct error *err)
{
    struct agent agent;
    if (!r->agent.p || agent_find(db, rq->arena, r->environment, r->agent, &agent, err))
        return true;
    return err->code == ERROR_NOT_FOUND
        ? error_http(err, 404, "Agent with identifier \"%.*s\" was not found.", STR_ARG(str_sub(r->agent, 0, SHOWN))) : false;
}

static bool route_apply(struct api_write *w, struct db *db, struct error *err)
{
    struct route_write *x = (struct route_write *)w;
    if (x->w.change == ERASE)
        return domain_route_delete(db, &x->row, err);
    if (!agent_known(w->rq, db, &x->row, err))
        return false;
    struct domain_route now;
    if (x->w.change == UPDATE)
        return domain_route_find(db, w->rq->arena, x->row.domain, x->row.address, &now, err)
            && write_follows(w, now.updated_at, &x->row.updated_at, err) && domain_route_update(db, &x->row, err);
    if (!domain_find(db, w->rq->arena, x->domain.environment, x->domain.name, &x->domain, err))
        return false;                   /* deleted meanwhile: it is to leave no routes behind */
    return domain_route_insert(db, &x->row, err)
        || (err->code == ERROR_CONFLICT
            && error_http(err, 409, "A route for \"%.*s@%.*s\" already exists.", STR_ARG(x->row.address),
                          STR_ARG(str_sub(x->domain.name, 0, SHOWN))));
}

static yyjson_mut_val *route_item(struct request *rq, yyjson_mut_doc *d, const void *items, size_t i)
{
    return route_json(rq, d, (const struct domain_route *)items + i);
}

static struct route_write *route_write_new(struct request *rq, enum row_change change)
{
    struct route_write *x = ARENA_NEW(rq->arena, struct route_write);
    row_write_init(&x->w, change, &x->row, route_apply, route_item);
    x->w.w.flags = WRITE_HOLDS;
    return x;
}

/* type and agentId of the body replace those of r. */
static void route_target_read(struct checks *c, struct domain_route *r, bool creates)
{
    struct str type = check_string(c, c->rq->json, "type", creates), agent = check_string(c, c->rq->json, "agentId", false);
    bool to_agent = type.n ? str_eqz(type, "agent") : r->agent.p != NULL;
    if (type.n && !to_agent && !str_eqz(type, "webhook"))
        check_fail(c, "type must be one of the following values: agent, webhook");
    if (agent.n)
        r->agent = agent;
    if (!to_agent)
        r->agent = STR_NULL;
    else if (!r->agent.n)
        check_fail(c, "agentId is required when type is agent");
    data_read(c, &r->data);
}

static void handle_route_create(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct route_write *x = route_write_new(rq, CREATE);
    if (!load(rq, &x->domain))
        return;
    x->row = (struct domain_route){.id = app_id(rq), .environment = rq->principal.environment, .domain = x->domain.id,
                                   .created_at = app_now(rq), .updated_at = app_now(rq)};
    x->row.address = lower(rq->arena, str_trim(check_string(&c, rq->json, "address", true)));
    if (x->row.address.n > DOMAIN_ADDRESS_MAX)
        check_fail(&c, "address must be shorter than or equal to %d characters", DOMAIN_ADDRESS_MAX);
    else if (x->row.address.n && !domain_address_valid(x->row.address))
        check_fail(&c, "address must be the local part of an e-mail address, or *");
    route_target_read(&c, &x->row, true);
    if (checks_done(&c))
        api_write(rq, &x->w.w);
}

static void handle_route_update(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct route_write *x = route_write_new(rq, UPDATE);
    if (!load_route(rq, &x->domain, &x->row))
        return;
    route_target_read(&c, &x->row, false);
    x->w.w.seen = x->row.updated_at;
    x->row.updated_at = app_now(rq);
    if (checks_done(&c))
        api_write(rq, &x->w.w);
}

static void handle_route_delete(struct request *rq)
{
    struct route_write *x = route_write_new(rq, ERASE);
    if (load_route(rq, &x->domain, &x->row))
        api_write(rq, &x->w.w);
}

static void handle_route_get(struct request *rq)
{
    struct domain x = {0};
    struct domain_route r;
    if (load_route(rq, &x, &r))
        reply_json(rq, 0, route_json(rq, json_doc(rq->arena), &r));
}

static void handle_route_list(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct page_query q = {0};
    struct domain x;
    struct page page;
    struct error err = {0};
    if (!load(rq, &x) || !paging_read(&c, "createdAt", &q))
        return;
    if (domain_route_list(app_db(rq), rq->arena, &x, &q, request_query(rq, "agentId"), &page, &err))
        reply_page(rq, json_doc(rq->arena), &page, route_item);
    else
        reply_error(rq, &err);
}

/* The mail of a test as a route's target would see it. */
static void test_payload(struct request *rq, yyjson_mut_doc *d, yyjson_mut_val *o, const struct domain *x, const struct domain_route *r)
{
    yyjson_mut_val *payload = json_add_obj(d, o, "payload"), *to;
    struct str local = str_eqz(r->address, "*") ? request_param(rq, "address") : r->address;
    json_add_val(d, payload, "from", json_get(rq->json, "from"));
    to = yyjson_mut_arr_add_obj(d, json_add_arr(d, payload, "to"));
    json_add_str(d, to, "address", str_fmt(rq->arena, "%.*s@%.*s", STR_ARG(local), STR_ARG(x->name)));
    json_add_val(d, payload, "subject", json_get(rq->json, "subject"));
    json_add_val(d, payload, "text", json_get(rq->json, "text"));
    json_add_val(d, payload, "html", json_get(rq->json, "html"));
}

static void test_reply(struct request *rq, const struct domain *x, const struct domain_route *r, bool dry)
{
    yyjson_mut_doc *d = json_doc(rq->arena);
    yyjson_mut_val *o = yyjson_mut_obj(d);
    json_add_bool(d, o, "matched", true);
    json_add_bool(d, o, "dryRun", dry);
    json_add_str(d, o, "domainStatus", STR("pending"));
    json_add_bool(d, o, "mxRecordConfigured", false);
    json_add_str(d, o, "type", route_type(r));
    json_add_str(d, o, "wouldDeliverTo", r->agent.p ? r->agent : STR("webhook"));
    test_payload(rq, d, o, x, r);
    if (!dry) {
        yyjson_mut_val *webhook = json_add_obj(d, o, "webhook");
        json_add_bool(d, webhook, "skipped", true);
        json_add_int(d, webhook, "latencyMs", 0);
    }
    reply_json(rq, 0, o);
}

/* What the route would do with a mail. Nothing is delivered: agents do not run here, and a webhook is told to be skipped. */
static void handle_route_test(struct request *rq)
{
    struct checks c = checks_begin(rq);
    struct domain x = {0};
    struct domain_route r;
    yyjson_val *from = check_object(&c, rq->json, "from", true);
    bool dry = check_bool(&c, rq->json, "dryRun", false);
    if (from && !json_get_str(from, "address").n)
        check_fail(&c, "from.address must be a string");
    check_string(&c, rq->json, "subject", true);
    check_string(&c, rq->json, "text", false);
    check_string(&c, rq->json, "html", false);
    if (!load_route(rq, &x, &r) || !checks_done(&c))
        return;
    if (r.agent.p && !dry)
        reply_fail(rq, 400, "Agents do not run on this server: a route to one can be tested with dryRun only.");
    else
        test_reply(rq, &x, &r, dry);
}

#define DOMAIN(method, path, operation, summary, permission, status, envelope, flags, handler)                               \
    {method, "/v1/domains" path, operation, "Domains", summary, AUTH_ENVIRONMENT, permission, RATE_CONFIGURATION, 1, status, \
     envelope, 0, flags, handler}
#define READ "ORG_SETTINGS_READ"
#define WRITE "ORG_SETTINGS_WRITE"

const struct route domain_routes[] = {
    DOMAIN(HTTP_GET, "", "domainsList", "List domains", READ, 200, ENVELOPE_NONE, 0, handle_list),
    DOMAIN(HTTP_POST, "", "domainsCreate", "Create a domain", WRITE, 201, ENVELOPE_DATA, 0, handle_create),
    DOMAIN(HTTP_GET, "/{domain}", "domainsRetrieve", "Retrieve a domain by its name", READ, 200, ENVELOPE_DATA, 0, handle_get),
    DOMAIN(HTTP_PATCH, "/{domain}", "domainsUpdate", "Change a domain's data", WRITE, 200, ENVELOPE_DATA, 0, handle_update),
    DOMAIN(HTTP_DELETE, "/{domain}", "domainsDelete", "Delete a domain with its routes", WRITE, 204, ENVELOPE_NONE, 0, handle_delete),
    DOMAIN(HTTP_POST, "/{domain}/verify", "domainsVerify", "Verify a domain (this server takes no mail in: always 400)", WRITE, 200,
           ENVELOPE_DATA, ROUTE_READ_ONLY, handle_unavailable),
    DOMAIN(HTTP_POST, "/{domain}/diagnose", "domainsDiagnose", "Look at a domain's DNS (this server takes no mail in: always 400)", READ,
           200, ENVELOPE_DATA, ROUTE_READ_ONLY, handle_unavailable),
    DOMAIN(HTTP_GET, "/{domain}/auto-configure", "domainsAutoConfigureRetrieve", "Can a domain's DNS be configured automatically?", READ,
           200, ENVELOPE_DATA, 0, handle_auto_configure),
    DOMAIN(HTTP_POST, "/{domain}/auto-configure/start", "domainsAutoConfigureStart",
           "Configure a domain's DNS (this server takes no mail in: always 400)", WRITE, 201, ENVELOPE_DATA, ROUTE_READ_ONLY,
           handle_unavailable),
    DOMAIN(HTTP_GET, "/{domain}/routes", "domainsRoutesList", "List a domain's routes", READ, 200, ENVELOPE_NONE, 0, handle_route_list),
    DOMAIN(HTTP_POST, "/{domain}/routes", "domainsRoutesCreate", "Create a route", WRITE, 201, ENVELOPE_DATA, 0, handle_route_create),
    DOMAIN(HTTP_GET, "/{domain}/routes/{address}", "domainsRoutesRetrieve", "Retrieve a route by its address", READ, 200, ENVELOPE_DATA, 0,
           handle_route_get),
    DOMAIN(HTTP_PATCH, "/{domain}/routes/{address}", "domainsRoutesUpdate", "Change a route", WRITE, 200, ENVELOPE_DATA, 0,
           handle_route_update),
    DOMAIN(HTTP_DELETE, "/{domain}/routes/{address}", "domainsRoutesDelete", "Delete a route", WRITE, 204, ENVELOPE_NONE, 0,
           handle_route_delete),
    DOMAIN(HTTP_POST, "/{domain}/routes/{address}/test", "domainsRoutesTest", "Tell what a route does with a mail", WRITE, 200,
           ENVELOPE_DATA, ROUTE_READ_ONLY, handle_route_test),
};
const size_t domain_routes_n = sizeof domain_routes / sizeof *domain_routes;
