/* The configuration as the file that init and join write: every key with its value and, as a
 * comment, its help. What it writes parses back to the same struct (tests/fuzz/fuzz_config.c holds
 * it to that). */
#include "node/config/config.h"
#include "node/config/schema.h"
#include "node/config/value.h"

#define HELP_COLUMN 34 /* comments start here, or one blank after longer values */

/* Letters first and nothing that means something in YAML; everything else goes in quotes. */
static bool is_plain(struct bytes text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no",
                                        "on",   "off",  "y",     "n"};
    if (text.size == 0)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (bytes_equal_nocase(text, bytes_from_str(words[i])))
            return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = text.data[i];
        bool is_alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!is_alnum && (i == 0 || !strchr(".-_", c)) && !(c == ':' && i + 1 < text.size))
            return false;
    }
    return true;
}

static bool is_text(const struct schema_row *row)
{
    return row->type != SCHEMA_COUNT && row->type != SCHEMA_SIZE && row->type != SCHEMA_DURATION &&
           row->type != SCHEMA_GPU && row->type != SCHEMA_FLAG;
}

static enum err append_scalar(struct bytes text, bool may_quote, struct buf *out)
{
    if (!may_quote || is_plain(text))
        return buf_append(out, text);
    TRY(buf_append_byte(out, '"'));
    TRY(buf_append_json_escaped(out, text)); /* YAML's double quotes take JSON's escapes */
    return buf_append_byte(out, '"');
}

static enum err append_value(const struct schema_row *row, const void *owner, struct buf *out)
{
    uint8_t storage[CONFIG_TEXT_MAX];
    struct buf text;
    buf_init_fixed(&text, storage, sizeof(storage));
    TRY(value_write(row, owner, &text));
    return append_scalar(buf_bytes(&text), is_text(row), out);
}

static enum err append_help(const struct schema_row *row, size_t line_start, struct buf *out)
{
    do
        TRY(buf_append_byte(out, ' '));
    while (out->size - line_start < HELP_COLUMN);
    return buf_printf(out, "# %s\n", row->help);
}

static enum err write_row(const struct config *config, const struct schema_row *row,
                          struct buf *out)
{
    size_t line_start = out->size;
    TRY(buf_printf(out, "%s%s:", row->section[0] ? "  " : "", row->key));
    if (row->type != SCHEMA_SECTION) {
        TRY(buf_append_byte(out, ' '));
        TRY(append_value(row, config, out));
    }
    return append_help(row, line_start, out);
}

static enum err write_labels(const struct config *config, const struct schema_row *row,
                             struct buf *out)
{
    size_t line_start = out->size;
    TRY(buf_printf(out, "  %s:%s", row->key, config->label_count ? "" : " {}"));
    TRY(append_help(row, line_start, out));
    for (size_t i = 0; i < config->label_count; i++) {
        TRY(buf_append_str(out, "    "));
        TRY(append_scalar(bytes_from_str(config->labels[i].key), true, out));
        TRY(buf_append_str(out, ": "));
        TRY(append_scalar(bytes_from_str(config->labels[i].value), true, out));
        TRY(buf_append_byte(out, '\n'));
    }
    return ERR_OK;
}

static enum err write_peers(const struct config *config, const struct schema_row *row,
                            struct buf *out)
{
    size_t line_start = out->size;
    TRY(buf_printf(out, "%s:%s", row->key, config->peer_count ? "" : " []"));
    TRY(append_help(row, line_start, out));
    for (size_t i = 0; i < config->peer_count; i++) {
        TRY(buf_append_str(out, "  - "));
        TRY(append_scalar(bytes_from_str(config->peers[i]), true, out));
        TRY(buf_append_byte(out, '\n'));
    }
    return ERR_OK;
}

static enum err write_backend(const struct config_backend *backend, struct buf *out)
{
    const char *lead = "  - ";
    for (size_t i = 0; i < schema_count(); i++) {
        const struct schema_row *row = schema_row(i);
        if (strcmp(row->section, SCHEMA_IN_BACKEND) != 0)
            continue;
        size_t line_start = out->size;
        TRY(buf_printf(out, "%s%s: ", lead, row->key));
        TRY(append_value(row, backend, out));
        TRY(append_help(row, line_start, out));
        lead = "    ";
    }
    return ERR_OK;
}

static enum err write_backends(const struct config *config, const struct schema_row *row,
                               struct buf *out)
{
    size_t line_start = out->size;
    TRY(buf_printf(out, "%s:%s", row->key, config->backend_count ? "" : " []"));
    TRY(append_help(row, line_start, out));
    if (config->backend_count == 0)
        return buf_append_str(
            out,
            "#  - {name: llama, url: \"http://127.0.0.1:8081\", kind: auto, concurrency: 4}\n");
    for (size_t i = 0; i < config->backend_count; i++)
        TRY(write_backend(&config->backends[i], out));
    return ERR_OK;
}

enum err config_write(const struct config *config, struct buf *yaml)
{
    TRY(buf_append_str(
        yaml, "# Grapevine's configuration of one node. `grapevine config check` reads it without "
              "starting.\n"
              "# Durations carry a unit (250ms, 2s, 5m, 1h), sizes too (KiB, MiB, GiB).\n"));
    for (size_t i = 0; i < schema_count(); i++) {
        const struct schema_row *row = schema_row(i);
        if (!row->section[0])
            TRY(buf_append_byte(yaml, '\n'));
        if (row->type == SCHEMA_PEERS)
            TRY(write_peers(config, row, yaml));
        else if (row->type == SCHEMA_BACKENDS)
            TRY(write_backends(config, row, yaml));
        else if (row->type == SCHEMA_LABELS)
            TRY(write_labels(config, row, yaml));
        else if (strcmp(row->section, SCHEMA_IN_BACKEND) != 0)
            TRY(write_row(config, row, yaml));
    }
    return ERR_OK;
}
