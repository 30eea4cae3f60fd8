/* Whom a Prometheus should scrape: every node of the mesh that this one knows, in the form of its
 * HTTP service discovery. Called through admin.h. */
#include "node/admin/json.h"
#include "node/admin/roster.h"

#include <stdio.h>

static size_t port_of(struct bytes addr)
{
    size_t at = addr.size;
    while (at > 0 && addr.data[at - 1] != ':')
        at--;
    return at;
}

/* Who listens everywhere is reached where peers dial it. */
static void put_address(struct json *j, const struct facts *f)
{
    char text[2 * FACTS_ADDR_MAX];
    struct bytes http = f->http_addr, mesh = f->mesh_addr;
    bool is_anywhere =
        bytes_starts_with(http, BYTES("0.0.0.0:")) || bytes_starts_with(http, BYTES("[::]:"));
    if (!is_anywhere || mesh.size == 0) {
        json_text(j, http);
        return;
    }
    snprintf(text, sizeof text, "%.*s%.*s", (int)port_of(mesh), (const char *)mesh.data,
             (int)(http.size - port_of(http)), (const char *)http.data + port_of(http));
    json_text(j, bytes_from_str(text));
}

static void put_target(struct json *j, const char *name, enum tier tier, const char *region,
                       const struct facts *f)
{
    if (!f || f->http_addr.size == 0)
        return;
    json_open(j, '{');
    json_key(j, "targets");
    json_open(j, '[');
    put_address(j, f);
    json_close(j, ']');
    json_key(j, "labels");
    json_open(j, '{');
    json_put_str(j, "node", name);
    json_put_str(j, "tier", tier_name(tier));
    json_put_str(j, "region", region);
    json_put_text(j, "zone", f->zone);
    json_close(j, '}');
    json_close(j, '}');
}

enum err admin_sd_json(const struct admin_view *v, struct buf *out)
{
    const struct cert *cert = &v->identity->cert;
    struct roster roster;
    struct json j;
    roster_of(v, &roster);
    json_begin(&j, out);
    json_open(&j, '[');
    put_target(&j, cert->name, cert->tier, cert->region, v->self);
    for (size_t i = 0; i < roster.count; i++) {
        const struct peer *p = roster.peers[i];
        if (p->state != PEER_LEFT)
            put_target(&j, p->name, p->tier, p->region, p->facts);
    }
    json_close(&j, ']');
    return json_end(&j);
}
