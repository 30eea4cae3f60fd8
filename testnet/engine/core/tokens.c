/* Pieces of text and the words of answers, see tokens.h. Called by the core and by the shell's
 * reader of requests. */
#include "testnet/engine/core/tokens.h"

/* Each fits a token together with the blank before it. */
static const char *const words[TOKEN_WORDS] = {
    " the",  " of",    " and",   " to",   " in",   " is",    " it",    " for",  " on",   " as",
    " was",  " with",  " be",    " by",   " at",   " or",    " from",  " an",   " this", " that",
    " are",  " not",   " have",  " has",  " but",  " they",  " you",   " we",   " his",  " her",
    " she",  " he",    " all",   " one",  " can",  " will",  " each",  " when", " how",  " what",
    " some", " time",  " very",  " then", " two",  " more",  " go",    " no",   " way",  " could",
    " my",   " than",  " been",  " who",  " its",  " now",   " find",  " long", " down", " day",
    " did",  " get",   " come",  " made", " may",  " part",  " over",  " new",  " work", " take",
    " only", " live",  " me",    " back", " give", " most",  " name",  " good", " man",  " think",
    " say",  " great", " where", " help", " much", " line",  " right", " too",  " mean", " old",
    " any",  " same",  " tell",  " boy",  " came", " want",  " show",  " also", " form", " small",
    " set",  " put",   " end",   " does", " well", " large", " must",  " big",  " even", " such",
    " turn", " here",  " why",   " ask",  " went", " men",   " read",  " need", " land", " home",
    " us",   " move",  " try",   " kind", " hand", " high",  " year",  " grow",
};

uint32_t tokens_value(struct bytes piece)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (size_t i = 0; i < piece.size; i++)
        hash = (hash ^ piece.data[i]) * 16777619u;
    return hash | 0x80000000u;
}

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\n' || byte == '\t' || byte == '\r';
}

struct bytes tokens_next(struct bytes *rest)
{
    size_t size = rest->size ? 1 : 0;
    while (size < rest->size && size < TOKEN_BYTES && !is_blank(rest->data[size]))
        size++;
    struct bytes piece = bytes_of(rest->data, size);
    *rest = bytes_skip(*rest, size);
    return piece;
}

size_t tokens_count(struct bytes text)
{
    size_t count = 0;
    while (tokens_next(&text).size)
        count++;
    return count;
}

size_t tokens_of(struct bytes text, uint32_t *ret_values, size_t room)
{
    size_t count = 0;
    for (struct bytes piece; (piece = tokens_next(&text)).size; count++)
        if (count < room)
            ret_values[count] = tokens_value(piece);
    return count;
}

struct bytes tokens_word(uint32_t index, bool at_start)
{
    struct bytes word = bytes_from_str(words[index % TOKEN_WORDS]);
    return at_start ? bytes_skip(word, 1) : word;
}
