/* `grapevine receipt verify`: whether a receipt in JSON (node/trust/receipt_json.h) is what the
 * nodes it names have signed. Offline: needs nothing but the text and, better, the mesh's root
 * key. */
#ifndef NODE_CLI_OBSERVE_RECEIPT_VERIFY_H
#define NODE_CLI_OBSERVE_RECEIPT_VERIFY_H

#include "base/buf.h"
#include "base/crypto.h"
#include "base/err.h"

#define RECEIPT_VERIFY_REPORT_MAX 16384 /* enough for any report */

/* Appends a report for people. ERR_OK: its first line is "valid", then the request, the hops and by
 * whose root key. Otherwise it is one line "not valid: WHY". A readable field that is not what the
 * record beside it says is an error too.
 * root may be NULL: the file's own is used, and the report says that this proves only that somebody
 * with such a root key made it. */
MUST_CHECK enum err receipt_verify_json(struct bytes json,
                                        const uint8_t root_or_null[CRYPTO_PUBLIC_SIZE],
                                        struct buf *report);

#endif
