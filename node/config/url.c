/* A URL here is http://HOST[:PORT][/PREFIX], without user, query or fragment; see url.h. */
#include "node/config/url.h"

#include "node/config/config.h"
#include "node/config/found.h"
#include "node/io/addr.h"

static bool is_alnum(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A name to resolve. Digits and dots alone would be an address that is not one ("1.2.3",
 * "256.1.1.1"). */
static bool is_host_name(struct bytes host)
{
    bool has_letter = false;
    if (host.size == 0 || host.size > 253 || !is_alnum(host.data[0]))
        return false;
    for (size_t i = 0; i < host.size; i++) {
        uint8_t c = host.data[i];
        if (!is_alnum(c) && c != '-' && c != '.' && c != '_')
            return false;
        if (c == '.' && i + 1 < host.size && host.data[i + 1] == '.')
            return false;
        has_letter = has_letter || (is_alnum(c) && c > '9');
    }
    return has_letter;
}

/* "host:port" whose host is a name, or a definite or loopback address. */
static bool split_dialable(struct bytes text, struct bytes *ret_host, uint16_t *ret_port)
{
    struct io_addr addr;
    if (io_addr_split(text, ret_host, ret_port) != ERR_OK || *ret_port == 0)
        return false;
    if (io_addr_parse(text, &addr) == ERR_OK)
        return addr.family != IO_UNIX && !io_addr_is_any(&addr);
    return text.data[0] != '[' && is_host_name(*ret_host);
}

bool url_dialable_is_valid(struct bytes text)
{
    struct bytes host;
    uint16_t port;
    return text.size < CONFIG_TEXT_MAX && split_dialable(text, &host, &port);
}

static bool prefix_is_valid(struct bytes prefix)
{
    for (size_t i = 0; i < prefix.size; i++) {
        uint8_t c = prefix.data[i];
        if (!is_alnum(c) && (c == 0 || !strchr("/-._~%!$&'()*+,;=:@", c)))
            return false;
    }
    return true;
}

/* Adds the scheme's port where none is given; `storage` holds the result. */
static struct bytes with_port(struct bytes authority, char *storage, size_t size)
{
    size_t after_v6 = authority.size && authority.data[0] == '[' ? bytes_find(authority, ']') : 0;
    if (bytes_find(bytes_skip(authority, after_v6), ':') + after_v6 < authority.size)
        return authority;
    bytes_to_str(authority, storage, size - 3);
    memcpy(storage + strlen(storage), ":80", 4);
    return bytes_from_str(storage);
}

static struct bytes without_trailing_slashes(struct bytes prefix)
{
    while (prefix.size && prefix.data[prefix.size - 1] == '/')
        prefix.size--;
    return prefix;
}

static bool ends_with(struct bytes text, struct bytes end)
{
    return text.size >= end.size && bytes_equal(bytes_skip(text, text.size - end.size), end);
}

enum err url_split(struct bytes text, struct url_parts *ret_parts)
{
    struct bytes authority, rest = bytes_skip(text, 7);
    char storage[CONFIG_TEXT_MAX + 4];
    struct url_parts parts = {.target = BYTES("/")};
    if (!bytes_starts_with(text, BYTES("http://")) || text.size >= CONFIG_TEXT_MAX)
        return ERR_INVALID;
    authority = bytes_of(rest.data, bytes_find(rest, '/'));
    rest = bytes_skip(rest, authority.size);
    size_t path = bytes_find(rest, '?');
    if (!split_dialable(with_port(authority, storage, sizeof storage), &parts.host, &parts.port) ||
        !prefix_is_valid(bytes_of(rest.data, path)) ||
        (path < rest.size && !prefix_is_valid(bytes_skip(rest, path + 1))))
        return ERR_INVALID;
    if (rest.size > 0)
        parts.target = rest;
    size_t bracket = authority.data[0] == '['; /* of an IPv6 address; nothing of `storage` stays */
    parts.host = bytes_of(authority.data + bracket, parts.host.size);
    *ret_parts = parts;
    return ERR_OK;
}

enum err url_parse(struct bytes text, struct config_backend *ret_backend, struct buf *why)
{
    const char *expected = "expected http://HOST[:PORT][/PREFIX]";
    if (text.size >= 8 && bytes_equal_nocase(bytes_of(text.data, 8), BYTES("https://")))
        return found_refuse(
            why, "https: is not supported yet; expected http://HOST[:PORT][/PREFIX]", text);
    struct url_parts parts;
    if (url_split(text, &parts) != ERR_OK || bytes_find(parts.target, '?') < parts.target.size)
        return found_refuse(why, expected, text);
    struct bytes prefix = without_trailing_slashes(parts.target);
    if (ends_with(prefix, BYTES("/v1")))
        return found_refuse(
            why, "leave out the /v1 at the end: every request's path begins with it", text);

    bytes_to_str(text, ret_backend->url, sizeof(ret_backend->url));
    bytes_to_str(parts.host, ret_backend->host, sizeof(ret_backend->host));
    bytes_to_str(prefix, ret_backend->prefix, sizeof(ret_backend->prefix));
    ret_backend->port = parts.port;
    return ERR_OK;
}
