/* Reads /usr/share/zoneinfo; see zoneinfo.h. A name becomes part of a path, so only letters, digits
 * and "+-_/" may be in it, and no part may be empty. */
#include "node/cli/policy/zoneinfo.h"

#include <stdlib.h>

#include "node/cli/dir/files.h"

#define FOLDER "/usr/share/zoneinfo"
#define NAME_MAX_SIZE 64

struct zoneinfo_entry {
    char name[NAME_MAX_SIZE];
    struct buf data; /* empty: there is no such zone */
};

void zoneinfo_init(struct zoneinfo *z)
{
    *z = (struct zoneinfo){.count = 0};
}

void zoneinfo_fini(struct zoneinfo *z)
{
    for (size_t i = 0; i < z->count; i++) {
        buf_fini(&z->kept[i]->data);
        free(z->kept[i]);
    }
    z->count = 0;
}

static bool is_name(struct bytes name)
{
    uint8_t before = '/';
    for (size_t i = 0; i < name.size; i++) {
        uint8_t c = name.data[i], low = c | 0x20;
        bool fits = (low >= 'a' && low <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' ||
                    c == '_' || (c == '/' && before != '/');
        if (!fits)
            return false;
        before = c;
    }
    return name.size && name.size < NAME_MAX_SIZE && before != '/';
}

struct bytes zoneinfo_find(void *ctx, struct bytes name)
{
    struct zoneinfo *z = ctx;
    char path[FILES_PATH_MAX];
    if (!is_name(name))
        return (struct bytes){0};
    for (size_t i = 0; i < z->count; i++)
        if (bytes_equal(bytes_from_str(z->kept[i]->name), name))
            return buf_bytes(&z->kept[i]->data);
    struct zoneinfo_entry *entry = z->count < ZONEINFO_KEPT_MAX ? calloc(1, sizeof(*entry)) : NULL;
    if (!entry)
        return (struct bytes){0};
    bytes_to_str(name, entry->name, sizeof(entry->name));
    buf_init(&entry->data, ZONEINFO_SIZE_MAX);
    if (files_join(FOLDER, entry->name, path) != ERR_OK || files_read(path, &entry->data) != ERR_OK)
        buf_clear(&entry->data);
    z->kept[z->count++] = entry;
    return buf_bytes(&entry->data);
}
