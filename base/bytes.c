/* The longer functions of bytes.h. Comparing field names is the hot one: every HTTP header passes
 * through bytes_equal_nocase several times. */
#include "base/bytes.h"

#include <limits.h>

#define DISTANCE_SIZE_MAX 64

static const uint64_t each_byte = UINT64_C(0x0101010101010101);

static uint64_t load_u64(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* Lowers the ASCII capitals among eight bytes at once. Adding the distance to 0x80 raises a byte's
 * top bit exactly when it reaches the bound; the top bits were masked off, so nothing carries
 * over. */
static uint64_t lower_u64(uint64_t word)
{
    uint64_t low = word & each_byte * 0x7f;
    uint64_t from_a = low + each_byte * (0x80 - 'A');
    uint64_t past_z = low + each_byte * (0x7f - 'Z');
    uint64_t capital = (from_a ^ past_z) & ~word & each_byte * 0x80;
    return word | capital >> 2;
}

static bool equal_nocase_u64(const uint8_t *a, const uint8_t *b)
{
    return lower_u64(load_u64(a)) == lower_u64(load_u64(b));
}

static uint8_t lower_byte(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

bool bytes_equal_nocase(struct bytes a, struct bytes b)
{
    if (a.size != b.size)
        return false;
    size_t i = 0;
    for (; a.size - i >= 8; i += 8)
        if (!equal_nocase_u64(a.data + i, b.data + i))
            return false;
    if (i == a.size)
        return true;
    /* The tail once more as a whole word, overlapping bytes that are known to be equal. */
    if (a.size >= 8)
        return equal_nocase_u64(a.data + a.size - 8, b.data + a.size - 8);
    for (; i < a.size; i++)
        if (lower_byte(a.data[i]) != lower_byte(b.data[i]))
            return false;
    return true;
}

size_t bytes_find(struct bytes b, uint8_t byte)
{
    const uint8_t *hit = b.size ? memchr(b.data, byte, b.size) : NULL;
    return hit ? (size_t)(hit - b.data) : b.size;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

struct bytes bytes_trim(struct bytes b)
{
    while (b.size && is_blank(b.data[0]))
        b = bytes_skip(b, 1);
    while (b.size && is_blank(b.data[b.size - 1]))
        b.size--;
    return b;
}

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t common = a.size < b.size ? a.size : b.size;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order)
        return order;
    return (a.size > b.size) - (a.size < b.size);
}

void bytes_to_str(struct bytes b, char *out, size_t size)
{
    size_t n = b.size < size - 1 ? b.size : size - 1;
    if (n)
        memcpy(out, b.data, n);
    out[n] = '\0';
}

bool bytes_to_u64(struct bytes b, uint64_t *ret_value)
{
    uint64_t value = 0;
    if (b.size == 0)
        return false;
    for (size_t i = 0; i < b.size; i++) {
        unsigned digit = b.data[i] - (unsigned)'0';
        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;
    return least < c ? least : c;
}

unsigned bytes_distance(struct bytes a, struct bytes b)
{
    if (a.size > DISTANCE_SIZE_MAX || b.size > DISTANCE_SIZE_MAX)
        return UINT_MAX;
    unsigned row[DISTANCE_SIZE_MAX + 1]; /* edits from a's first i bytes to b's first j */
    for (unsigned j = 0; j <= b.size; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a.size; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b.size; j++) {
            unsigned above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a.data[i - 1] != b.data[j - 1]));
            diagonal = above;
        }
    }
    return row[b.size];
}
