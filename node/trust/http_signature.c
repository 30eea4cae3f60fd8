/* See http_signature.h. Called by node/ingress for requests from afar and by node/cli to make them.
 * The grammar is that of Structured Fields (RFC 8941), as far as RFC 9421 uses it. */
#include "node/trust/http_signature.h"

/* --- reading structured fields */

struct cursor {
    struct bytes rest;
};

static bool eat(struct cursor *c, char wanted)
{
    if (c->rest.size == 0 || c->rest.data[0] != (uint8_t)wanted)
        return false;
    c->rest = bytes_skip(c->rest, 1);
    return true;
}

static void skip_spaces(struct cursor *c)
{
    while (eat(c, ' '))
        continue;
}

static bool is_key_byte(uint8_t b)
{
    return (b >= 'a' && b <= 'z') || (b >= '0' && b <= '9') || b == '_' || b == '-' || b == '.' ||
           b == '*';
}

static struct bytes read_key(struct cursor *c)
{
    size_t size = 0;
    while (size < c->rest.size && is_key_byte(c->rest.data[size]))
        size++;
    struct bytes key = bytes_of(c->rest.data, size);
    c->rest = bytes_skip(c->rest, size);
    return key;
}

/* A string without escapes: none of ours needs them. */
static bool read_string(struct cursor *c, struct bytes *ret_text)
{
    if (!eat(c, '"'))
        return false;
    size_t size = 0;
    while (size < c->rest.size && c->rest.data[size] >= 0x20 && c->rest.data[size] < 0x7f &&
           c->rest.data[size] != '"' && c->rest.data[size] != '\\')
        size++;
    *ret_text = bytes_of(c->rest.data, size);
    c->rest = bytes_skip(c->rest, size);
    return eat(c, '"');
}

static bool read_integer(struct cursor *c, uint64_t *ret_number)
{
    size_t size = 0;
    while (size < c->rest.size && c->rest.data[size] >= '0' && c->rest.data[size] <= '9')
        size++;
    if (size == 0 || size > 15 || !bytes_to_u64(bytes_of(c->rest.data, size), ret_number))
        return false;
    c->rest = bytes_skip(c->rest, size);
    return true;
}

/* --- Signature-Input */

static bool is_listed(const struct http_signature *s, struct bytes name)
{
    for (size_t i = 0; i < s->component_count; i++)
        if (bytes_equal(s->components[i], name))
            return true;
    return false;
}

static enum err read_components(struct cursor *c, struct http_signature *s)
{
    if (!eat(c, '('))
        return ERR_INVALID;
    for (skip_spaces(c); !eat(c, ')'); skip_spaces(c)) {
        struct bytes name;
        if (!read_string(c, &name) || name.size == 0 || is_listed(s, name) ||
            s->component_count == HTTP_SIGNATURE_COMPONENTS_MAX)
            return ERR_INVALID;
        s->components[s->component_count++] = name;
    }
    return ERR_OK;
}

/* `expires` is read and not needed: `created` bounds the time. */
static enum err read_parameter(struct cursor *c, struct http_signature *s)
{
    struct bytes key = read_key(c), text = {0};
    uint64_t number;
    if (!eat(c, '='))
        return ERR_INVALID;
    if (bytes_equal(key, BYTES("created")))
        return s->created_s == 0 && read_integer(c, &s->created_s) ? ERR_OK : ERR_INVALID;
    if (bytes_equal(key, BYTES("expires")))
        return read_integer(c, &number) ? ERR_OK : ERR_INVALID;
    if (!read_string(c, &text))
        return ERR_INVALID;
    if (bytes_equal(key, BYTES("keyid")) && !s->keyid.data)
        s->keyid = text;
    else if (bytes_equal(key, BYTES("nonce")) && !s->nonce.data)
        s->nonce = text;
    else if (bytes_equal(key, BYTES("alg")))
        return bytes_equal(text, BYTES("ed25519")) ? ERR_OK : ERR_UNSUPPORTED;
    else if (!bytes_equal(key, BYTES("tag")))
        return ERR_INVALID;
    return ERR_OK;
}

static enum err read_input(struct bytes input, struct http_signature *s, struct bytes *ret_label)
{
    struct cursor c = {input};
    *ret_label = read_key(&c);
    if (ret_label->size == 0 || !eat(&c, '='))
        return ERR_INVALID;
    s->params = c.rest;
    TRY(read_components(&c, s));
    while (eat(&c, ';'))
        TRY(read_parameter(&c, s));
    return c.rest.size == 0 ? ERR_OK : ERR_INVALID;
}

static enum err read_signature(struct bytes text, struct bytes label, struct http_signature *s)
{
    struct cursor c = {text};
    struct buf out;
    buf_init_fixed(&out, s->signature, sizeof s->signature);
    if (!bytes_equal(read_key(&c), label) || !eat(&c, '=') || !eat(&c, ':') || c.rest.size == 0 ||
        c.rest.data[c.rest.size - 1] != ':')
        return ERR_INVALID;
    TRY(crypto_base64_padded_decode(bytes_of(c.rest.data, c.rest.size - 1), &out));
    return out.size == sizeof s->signature ? ERR_OK : ERR_INVALID;
}

enum err http_signature_parse(struct bytes input, struct bytes signature,
                              struct http_signature *ret_signature, const char **ret_why)
{
    struct http_signature s = {.created_s = 0};
    struct bytes label;
    *ret_why = "Signature-Input is not one signature of RFC 9421, or too long";
    if (input.size > HTTP_SIGNATURE_INPUT_MAX)
        return ERR_INVALID;
    enum err e = read_input(input, &s, &label);
    if (e == ERR_UNSUPPORTED)
        *ret_why = "the signature's algorithm is not ed25519";
    TRY(e);
    *ret_why = "created, keyid and nonce are needed";
    if (s.created_s == 0 || s.keyid.size == 0 || s.keyid.size > HTTP_SIGNATURE_KEYID_MAX ||
        s.nonce.size == 0 || s.nonce.size > HTTP_SIGNATURE_NONCE_MAX)
        return ERR_INVALID;
    *ret_why = "Signature is not 64 bytes under the label of Signature-Input";
    if (read_signature(signature, label, &s) != ERR_OK)
        return ERR_INVALID;
    *ret_signature = s;
    return ERR_OK;
}

/* --- the signature base (RFC 9421, section 2.5) */

static struct bytes query_of(struct bytes target)
{
    struct bytes query = bytes_skip(target, bytes_find(target, '?'));
    return query.size > 0 ? query : BYTES("?"); /* section 2.2.7 */
}

static struct bytes value_of(const struct http_signature_request *r, struct bytes name)
{
    if (name.data[0] != '@')
        return r->field(r->ctx, name);
    if (bytes_equal(name, BYTES("@method")))
        return r->method;
    if (bytes_equal(name, BYTES("@request-target")))
        return r->target;
    if (bytes_equal(name, BYTES("@path")))
        return bytes_of(r->target.data, bytes_find(r->target, '?'));
    if (bytes_equal(name, BYTES("@query")))
        return query_of(r->target);
    if (bytes_equal(name, BYTES("@authority")) && r->authority.size > 0)
        return r->authority;
    return bytes_of(NULL, 0);
}

static enum err append_line(struct buf *base, struct bytes name, struct bytes value)
{
    TRY(buf_append_byte(base, '"'));
    TRY(buf_append(base, name));
    TRY(buf_append_str(base, "\": "));
    return buf_append(base, value);
}

static enum err append_base(const struct http_signature *s, const struct http_signature_request *r,
                            struct buf *base)
{
    for (size_t i = 0; i < s->component_count; i++) {
        struct bytes value = value_of(r, s->components[i]);
        if (!value.data)
            return ERR_INVALID;
        TRY(append_line(base, s->components[i], value));
        TRY(buf_append_byte(base, '\n'));
    }
    return append_line(base, BYTES("@signature-params"), s->params);
}

static bool covers_enough(const struct http_signature *s, const struct http_signature_request *r)
{
    bool has_target =
        is_listed(s, BYTES("@request-target")) ||
        (is_listed(s, BYTES("@path")) &&
         (is_listed(s, BYTES("@query")) || bytes_find(r->target, '?') == r->target.size));
    return is_listed(s, BYTES("@method")) && has_target &&
           (!r->has_body || is_listed(s, BYTES("content-digest")));
}

static bool is_near(uint64_t created_s, uint64_t wall_ms)
{
    uint64_t created_ms = created_s * 1000;
    uint64_t apart_ms = created_ms > wall_ms ? created_ms - wall_ms : wall_ms - created_ms;
    return apart_ms <= HTTP_SIGNATURE_SKEW_MS;
}

enum err http_signature_verify(const struct http_signature *s,
                               const struct http_signature_request *request,
                               const uint8_t key[CRYPTO_PUBLIC_SIZE], uint64_t wall_ms,
                               const char **ret_why)
{
    struct buf base;
    *ret_why = "sign @method, @request-target and, with a body, content-digest";
    if (!covers_enough(s, request))
        return ERR_INVALID;
    *ret_why = "created is more than five minutes away: set the clock";
    if (!is_near(s->created_s, wall_ms))
        return ERR_CLOCK_SKEW;
    *ret_why = "a signed component is not there, there twice, or not known";
    buf_init(&base, HTTP_SIGNATURE_BASE_MAX);
    enum err e = append_base(s, request, &base);
    if (e == ERR_OK) {
        *ret_why = "the signature does not verify";
        e = crypto_verify(key, buf_bytes(&base), s->signature) ? ERR_OK : ERR_BAD_SIGNATURE;
    }
    buf_fini(&base);
    return e == ERR_LIMIT ? ERR_INVALID : e;
}

/* --- making one */

#define LABEL "sig1="

static enum err append_params(const struct http_signature_request *r, struct bytes keyid,
                              struct bytes nonce, uint64_t wall_ms, struct buf *input)
{
    TRY(buf_append_str(input, r->has_body ? "(\"@method\" \"@request-target\" \"content-digest\")"
                                          : "(\"@method\" \"@request-target\")"));
    TRY(buf_append_str(input, ";created="));
    TRY(buf_append_decimal(input, wall_ms / 1000));
    TRY(buf_append_str(input, ";keyid=\""));
    TRY(buf_append(input, keyid));
    TRY(buf_append_str(input, "\";alg=\"ed25519\";nonce=\""));
    TRY(buf_append(input, nonce));
    return buf_append_byte(input, '"');
}

static enum err sign(const struct http_signature *s, const struct http_signature_request *r,
                     const uint8_t secret[CRYPTO_SECRET_SIZE], struct buf *base,
                     struct buf *signature)
{
    uint8_t bytes[CRYPTO_SIGNATURE_SIZE];
    TRY(append_base(s, r, base));
    crypto_sign(secret, buf_bytes(base), bytes);
    TRY(buf_append_str(signature, LABEL ":"));
    TRY(crypto_base64_padded_append(signature, bytes_of(bytes, sizeof bytes)));
    return buf_append_byte(signature, ':');
}

enum err http_signature_make(const struct http_signature_request *request,
                             const uint8_t secret[CRYPTO_SECRET_SIZE], struct bytes keyid,
                             struct bytes nonce, uint64_t wall_ms, struct buf *input,
                             struct buf *signature)
{
    struct http_signature s = {.component_count = 0};
    struct bytes label;
    struct buf base;
    size_t start = input->size;
    TRY(buf_append_str(input, LABEL));
    TRY(append_params(request, keyid, nonce, wall_ms, input));
    TRY(read_input(bytes_skip(buf_bytes(input), start), &s, &label));
    buf_init(&base, HTTP_SIGNATURE_BASE_MAX);
    enum err e = sign(&s, request, secret, &base, signature);
    buf_fini(&base);
    return e;
}

/* --- Content-Digest */

enum err http_signature_digest(const uint8_t sha256[32], struct buf *value)
{
    TRY(buf_append_str(value, "sha-256=:"));
    TRY(crypto_base64_padded_append(value, bytes_of(sha256, 32)));
    return buf_append_byte(value, ':');
}

bool http_signature_digest_is(struct bytes value, const uint8_t sha256[32])
{
    uint8_t space[64];
    struct buf wanted;
    buf_init_fixed(&wanted, space, sizeof space);
    if (http_signature_digest(sha256, &wanted) != ERR_OK)
        return false;
    while (value.size > 0) {
        struct bytes one = bytes_of(value.data, bytes_find(value, ','));
        if (bytes_equal(bytes_trim(one), buf_bytes(&wanted)))
            return true;
        value = bytes_skip(value, one.size + 1);
    }
    return false;
}
