/* See via.h. Written by egress (requests, probes), looked for by http_conn and by the probe. */
#include "node/http/via.h"

static const char start[] = "1.1 grapevine-";

void http_via_text(const struct id *mesh, char ret_text[HTTP_VIA_SIZE])
{
    memcpy(ret_text, start, sizeof start);
    id_to_text(mesh, ret_text + sizeof start - 1);
}

bool http_via_names(const struct http_head *head, const struct id *mesh)
{
    char text[HTTP_VIA_SIZE];
    const struct http_field *end = head->fields + head->field_count;
    const struct http_field *f = http_find(head, HTTP_VIA);
    if (!f)
        return false;
    http_via_text(mesh, text);
    struct bytes name = bytes_skip(bytes_from_str(text), sizeof "1.1 " - 1);
    for (; f < end; f++)
        if (f->id == HTTP_VIA && memmem(f->value.data, f->value.size, name.data, name.size))
            return true;
    return false;
}
