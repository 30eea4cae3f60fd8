/* See program.h. The last words are kept ready as text, since a dying process must not format. */
#include "tests/sim/program.h"

#include "base/crypto.h"

#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

static char last_words[256];
static struct buf words;

void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

/* --- options */

static bool read_range(struct bytes all, struct program *p)
{
    struct bytes first = bytes_of(all.data, bytes_find(all, '.'));
    struct bytes rest = bytes_skip(all, first.size);
    return bytes_starts_with(rest, BYTES("..")) && bytes_to_u64(first, &p->first) &&
           bytes_to_u64(bytes_skip(rest, 2), &p->last) && p->first <= p->last;
}

bool program_option(struct program *p, int option, const char *text, bool *ret_is_good)
{
    switch (option) {
    case 's':
        *ret_is_good = bytes_to_u64(bytes_from_str(text), &p->first);
        p->last = p->first;
        return true;
    case 'S': *ret_is_good = read_range(bytes_from_str(text), p); return true;
    case 't':
        p->trace_path = text;
        *ret_is_good = true;
        return true;
    case 'o': *ret_is_good = p->prints_json = strcmp(text, "json") == 0; return true;
    default: return false;
    }
}

/* --- last words */

void program_failed(void)
{
    ssize_t ignored = write(STDERR_FILENO, last_words, words.size);
    ignored += write(STDERR_FILENO, "\n", words.size > 0);
    (void)ignored;
}

static void on_signal(int number)
{
    program_failed();
    signal(number, SIG_DFL);
    raise(number);
}

struct buf *program_seed(const struct program *p, uint64_t seed)
{
    buf_init_fixed(&words, (uint8_t *)last_words, sizeof last_words);
    CHECK(buf_printf(&words, "%s: seed %" PRIu64 " failed; again: %s --seed %" PRIu64, p->name,
                     seed, p->name, seed) == ERR_OK);
    return &words;
}

/* --- begin and end */

bool program_begin(struct program *p)
{
    if (crypto_init() != ERR_OK)
        return false;
    if (p->trace_path && !(p->trace_file = fopen(p->trace_path, "w"))) {
        fprintf(stderr, "%s: %s: cannot be written\n", p->name, p->trace_path);
        return false;
    }
    signal(SIGABRT, on_signal);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(program_failed);
    else
        signal(SIGSEGV, on_signal);
    return true;
}

bool program_end(struct program *p)
{
    words.size = 0;
    return !p->trace_file || fclose(p->trace_file) == 0;
}
