/* Reads SMTP credentials. */
#include "delivery/smtp_settings.h"

#include <curl/curl.h>

enum { CONNECT_MS = 120000, OUTLOOK_CONNECT_MS = 30000, HOST_MAX = 255 };

/* Form switches arrive as booleans, from some clients as text. */
static bool is_on(yyjson_val *v)
{
    struct str s = json_str(v);
    return yyjson_is_true(v) || str_eqz(s, "true") || str_eqz(s, "1") || (yyjson_is_num(v) && yyjson_get_num(v) != 0);
}

static bool host_read(struct arena *a, struct str raw, struct smtp_settings *s, struct error *err)
{
    struct str host = str_trim(raw);
    if (!host.n)
        return error_set(err, ERROR_BAD_INPUT, "SMTP host is required.");
    for (size_t i = 0; i < host.n; i++)
        if ((unsigned char)host.p[i] <= ' ' || host.p[i] == 0x7f || strchr("/\\#?@&=:;%<>\"", host.p[i]) || host.n > HOST_MAX)
            return error_set(err, ERROR_BAD_INPUT, "SMTP host contains invalid characters.");
    if (!domain_to_ascii(a, host, &s->host, NULL))
        return error_set(err, ERROR_BAD_INPUT, "SMTP host contains invalid characters.");
    return true;
}

static bool port_read(yyjson_val *v, struct smtp_settings *s, struct error *err)
{
    int64_t port = 0;
    bool ok = yyjson_is_int(v) || yyjson_is_real(v) ? (port = (int64_t)yyjson_get_num(v), port == yyjson_get_num(v))
                                                    : str_to_i64(str_trim(json_str(v)), &port);
    if (!ok || port < 1 || port > 65535)
        return error_set(err, ERROR_BAD_INPUT, "SMTP port must be an integer between 1 and 65535.");
    s->port = (int)port;
    return true;
}

/* A PEM, or several in an array. */
static struct str pem_read(struct arena *a, yyjson_val *v)
{
    size_t i, n;
    yyjson_val *item;
    struct buf b = {.arena = a};
    if (yyjson_is_str(v))
        return json_str(v);
    yyjson_arr_foreach(v, i, n, item) {
        buf_str(&b, json_str(item));
        buf_char(&b, '\n');
    }
    return buf_get(&b);
}

static long version_read(struct str s, bool highest)
{
    static const char *const names[] = {"TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"};
    static const long least[] = {CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_TLSv1_1, CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_TLSv1_3};
    static const long most[] = {CURL_SSLVERSION_MAX_TLSv1_0, CURL_SSLVERSION_MAX_TLSv1_1, CURL_SSLVERSION_MAX_TLSv1_2,
                                CURL_SSLVERSION_MAX_TLSv1_3};
    for (int i = 0; i < 4; i++)
        if (str_eqz(s, names[i]))
            return highest ? most[i] : least[i];
    return 0;
}

static bool tls_read(struct arena *a, yyjson_val *v, struct smtp_settings *s, struct error *err)
{
    yyjson_val *o = v;
    struct str text = str_trim(json_str(v));
    bool secure = s->security == SMTP_TLS;
    if (text.n && (!json_parse(a, text, &o, NULL) || !yyjson_is_obj(o)))
        return secure ? error_set(err, ERROR_BAD_INPUT, "The TLS options are not a JSON object.") : true;
    if (!yyjson_is_obj(o))
        return true;
    s->verify = json_get_bool(o, "rejectUnauthorized", true);
    s->ca = pem_read(a, json_get(o, "ca"));
    s->cert = pem_read(a, json_get(o, "cert"));
    s->key = pem_read(a, json_get(o, "key"));
    s->tls_min = version_read(json_get_str(o, "minVersion"), false);
    s->tls_max = version_read(json_get_str(o, "maxVersion"), true);
    struct smtp_settings other = {0};
    if (json_get_str(o, "servername").n) {
        if (!host_read(a, json_get_str(o, "servername"), &other, NULL))
            return error_set(err, ERROR_BAD_INPUT, "The servername of the TLS options contains invalid characters.");
        s->servername = other.host;
    }
    return true;
}

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == 0)
            return true;
    return false;
}

static void dkim_read(yyjson_val *c, struct smtp_settings *s)
{
    s->dkim = (struct mail_dkim){json_get_str(c, "domain"), json_get_str(c, "accountSid"), json_get_str(c, "secretKey")};
    s->has_dkim = s->dkim.domain.n && s->dkim.selector.n && s->dkim.key.n;
}

static bool custom_read(struct arena *a, enum smtp_provider provider, yyjson_val *c, struct smtp_settings *s,
                        struct error *err)
{
    if (!host_read(a, json_get_str(c, "host"), s, err) || !port_read(json_get(c, "port"), s, err))
        return false;
    if (is_on(json_get(c, "secure")))
        s->security = SMTP_TLS;
    else if (is_on(json_get(c, "requireTls")))
        s->security = SMTP_STARTTLS;
    else if (is_on(json_get(c, "ignoreTls")))
        s->security = SMTP_PLAIN;
    s->user = json_get_str(c, "user");
    if (provider == SMTP_NODEMAILER)
        dkim_read(c, s);
    return tls_read(a, json_get(c, "tlsOptions"), s, err);
}

bool smtp_settings_read(struct arena *a, enum smtp_provider provider, yyjson_val *c, struct smtp_settings *s,
                        struct error *err)
{
    *s = (struct smtp_settings){.verify = true, .connect_timeout_ms = CONNECT_MS};
    s->from = str_trim(json_get_str(c, "from"));
    s->from_name = json_get_str(c, "senderName");
    s->password = json_get_str(c, "password");
    if (provider == SMTP_OUTLOOK365) {
        s->host = STR("smtp.office365.com");
        s->port = 587;
        s->security = SMTP_STARTTLS;
        s->user = s->from;
        s->connect_timeout_ms = OUTLOOK_CONNECT_MS;
    } else if (!custom_read(a, provider, c, s, err)) {
        return false;
    }
    if (has_control(s->user) || has_control(s->password))
        return error_set(err, ERROR_BAD_INPUT, "SMTP user or password contains a line break.");
    if (!s->user.n || !s->password.n)
        s->user = s->password = STR_NULL;
    return true;
}
