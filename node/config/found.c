/* Appending refusals to a message buffer; see found.h. */
#include "node/config/found.h"

#include <stdarg.h>
#include <stdio.h>

#define SHOWN_MAX 80 /* bytes of a wrong value that are repeated in the message */

/* What does not fit any more is left out: the message is for people and already says where. */
static void say(struct buf *why, struct bytes text)
{
    if (buf_append(why, text) != ERR_OK)
        return;
}

void found_say(struct buf *why, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (size > 0)
        say(why, bytes_from_str(text));
}

enum err found_refuse(struct buf *why, const char *expected, struct bytes found)
{
    struct bytes shown = bytes_of(found.data, found.size < SHOWN_MAX ? found.size : SHOWN_MAX);
    say(why, bytes_from_str(expected));
    if (found.size == 0) {
        say(why, BYTES(", found nothing"));
        return ERR_INVALID;
    }
    say(why, BYTES(", found \""));
    if (buf_append_json_escaped(why, shown) != ERR_OK)
        return ERR_INVALID;
    say(why, shown.size < found.size ? BYTES("...\"") : BYTES("\""));
    return ERR_INVALID;
}
