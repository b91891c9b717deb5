/* The bridge's URL, and what its answers mean. */
#include "engine/bridge.h"

static void put_encoded(struct buf *b, struct str value)
{
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c && strchr("-_.~", c)))
            buf_char(b, (char)c);
        else
            buf_fmt(b, "%%%02X", c);
    }
}

struct parameter {
    const char *name;
    struct str value;
};

static bool is_ours(struct str pair, const struct parameter *list, size_t n)
{
    ptrdiff_t equals = str_find(pair, STR("="));
    struct str name = str_sub(pair, 0, equals < 0 ? pair.n : (size_t)equals);
    for (size_t i = 0; i < n; i++)
        if (str_eqz(name, list[i].name))
            return true;
    return false;
}

/* The URL with the parameters set: what its own query says besides stays, a fragment goes (bridge-cli.md §1). */
static struct str url_with(struct arena *a, struct str url, const struct parameter *list, size_t n)
{
    struct buf b = {.arena = a};
    ptrdiff_t fragment = str_find(url, STR("#"));
    if (fragment >= 0)
        url = str_sub(url, 0, (size_t)fragment);
    ptrdiff_t mark = str_find(url, STR("?"));
    struct str rest = mark < 0 ? STR_NULL : str_sub(url, (size_t)mark + 1, url.n);
    char separator = '?';
    buf_str(&b, mark < 0 ? url : str_sub(url, 0, (size_t)mark));
    while (rest.n) {
        ptrdiff_t end = str_find(rest, STR("&"));
        struct str pair = str_sub(rest, 0, end < 0 ? rest.n : (size_t)end);
        rest = end < 0 ? STR_NULL : str_sub(rest, (size_t)end + 1, rest.n);
        if (!pair.n || is_ours(pair, list, n))
            continue;
        buf_char(&b, separator);
        buf_str(&b, pair);
        separator = '&';
    }
    for (size_t i = 0; i < n; i++) {
        if (!list[i].value.n)
            continue;
        buf_fmt(&b, "%c%s=", separator, list[i].name);
        put_encoded(&b, list[i].value);
        separator = '&';
    }
    return buf_finish(&b);
}

struct str bridge_url(struct arena *a, struct str url, const char *action, struct str workflow, struct str step, struct str job,
                      struct str environment_type)
{
    const struct parameter list[] = {{"action", str_of(action)}, {"workflowId", workflow}, {"stepId", step}, {"jobId", job},
                                     {"environmentType", environment_type}};
    return url_with(a, url, list, sizeof list / sizeof *list);
}

int64_t bridge_pause(int n)
{
    return 500ll << n;
}

bool bridge_worth_again(const struct call_answer *answer)
{
    static const int statuses[] = {408, 429, 500, 503, 504, 521, 522, 524};
    if (answer->end != CALL_ANSWERED)
        return answer->end != CALL_REFUSED && !str_eqz(answer->code, "SelfSignedCertificate");
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (answer->status == statuses[i])
            return true;
    return false;
}

#define UNREACHABLE "Unable to reach Bridge Endpoint at `{url}`. Run npx novu@latest dev in Local mode, or ensure your " \
                    "Bridge app deployment is available."

/* bridge-cli.md §2.3: what a failure is called. {url} stands for the bridge's URL. */
static const struct failure {
    int status;                 /* of the answer; 0: none, see end */
    enum call_end end;
    int told;                   /* status that our caller gets */
    const char *code;           /* empty: the network's */
    const char *message;
} failures[] = {
    {0, CALL_TIMED_OUT, 408, "BridgeRequestTimeout", "Bridge request timeout for `{url}`"},
    {0, CALL_UNREACHABLE, 400, "", UNREACHABLE},
    {401, CALL_ANSWERED, 401, "BridgeAuthenticationFailed",
     "Bridge authentication failed for `{url}`. Please check your NOVU_SECRET_KEY environment variable."},
    {404, CALL_ANSWERED, 404, "BridgeEndpointUnavailable", UNREACHABLE},
    {405, CALL_ANSWERED, 400, "BridgeMethodNotConfigured",
     "Bridge Endpoint at `{url}` is not correctly configured. Ensure your `@novu/framework` integration exposes the `POST`, `GET`, "
     "and `OPTIONS` methods."},
    {413, CALL_ANSWERED, 413, "PayloadTooLarge", "Payload too large for `{url}`"},
    {502, CALL_ANSWERED, 404, "BridgeEndpointNotFound",
     "Could not connect to Bridge Endpoint at `{url}`. Make sure you are running your local app server."},
};

static struct str with_url(struct arena *a, const char *message, struct str url)
{
    const char *at = strstr(message, "{url}");
    return at ? str_fmt(a, "%.*s%.*s%s", (int)(at - message), message, STR_ARG(url), at + 5) : str_of(message);
}

/* By its status, or by the way that no answer came. */
static struct bridge_answer failure_by_end(struct arena *a, struct str url, const struct call_answer *answer)
{
    if (answer->end == CALL_REFUSED)
        return (struct bridge_answer){.status = 400, .code = answer->code.n ? answer->code : STR("InvalidBridgeUrl"), .message = answer->error};
    if (str_eqz(answer->code, "SelfSignedCertificate"))
        return (struct bridge_answer){.status = 400, .code = answer->code,
                                      .message = STR("Bridge Endpoint can't use a self signed certificate in production environments.")};
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        const struct failure *f = &failures[i];
        if (f->end == answer->end && f->status == answer->status)
            return (struct bridge_answer){.status = f->told, .message = with_url(a, f->message, url),
                                          .code = f->code[0] ? str_of(f->code) : answer->code.n ? answer->code : STR("ECONNRESET")};
    }
    return (struct bridge_answer){.status = 500, .code = STR("UnknownBridgeRequestError"),
                                  .message = with_url(a, "Unknown bridge request error calling `{url}`", url)};
}

struct bridge_answer bridge_read(struct arena *a, struct str url, const struct call_answer *answer)
{
    yyjson_val *body = NULL;
    bool good = answer->end == CALL_ANSWERED && answer->status >= 200 && answer->status <= 299;
    if (!str_is_utf8(answer->body) || !json_parse(a, answer->body, &body, NULL))
        body = NULL;
    if (good && yyjson_is_obj(body))
        return (struct bridge_answer){.body = body, .status = answer->status};
    if (good)
        return (struct bridge_answer){.status = 502, .code = STR("ResponseParseError"),
            .message = with_url(a, "Bridge URL response code is 2xx, but parsing body failed for `{url}`", url)};
    struct str code = json_get_str(body, "code"), message = json_get_str(body, "message");
    if (str_eqz(code, "TUNNEL_ERROR"))
        return (struct bridge_answer){.status = 404, .code = STR("TunnelNotFound"),
            .message = with_url(a, "Unable to establish tunnel connection to `{url}`. Run npx novu@latest dev in Local mode, or "
                                   "ensure your Tunnel app deployment is available.", url)};
    if (code.n && message.n)            /* the framework's own words */
        return (struct bridge_answer){.status = answer->status, .code = code, .message = message, .data = json_get(body, "data")};
    return failure_by_end(a, url, answer);
}
