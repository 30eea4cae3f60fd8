/* Words of an expression, one after the other; literals come decoded. Used by cel_parser.c. */
#ifndef POLICY_CEL_LEXER_H
#define POLICY_CEL_LEXER_H

#include "policy/cel_ast.h"

enum cel_token_kind {
    CEL_TOK_END,
    CEL_TOK_PUNCT,   /* ops and brackets: `text` */
    CEL_TOK_IDENT,   /* reserved words too */
    CEL_TOK_QUOTED,  /* `name`, without its quotes in `text` */
    CEL_TOK_LITERAL, /* number, string, bytes: `value` */
};

struct cel_token {
    enum cel_token_kind kind;
    uint32_t offset;
    struct bytes text;
    struct cel_value value;
};

/* Reads the token at or after *at and moves *at behind it. */
MUST_CHECK enum err policy_cel_lex(struct cel_job *job, uint32_t *at, struct cel_token *ret_token);
/* The number that `text` starts with; `negative` when a "-" stood before it. */
MUST_CHECK enum err policy_cel_lex_number(struct cel_job *job, struct cel_token *token,
                                          bool negative);
/* The string that starts at source[at], prefix included; *ret_size: its length in the source. */
MUST_CHECK enum err policy_cel_lex_string(struct cel_job *job, uint32_t at,
                                          struct cel_value *ret_value, uint32_t *ret_size);

#endif
