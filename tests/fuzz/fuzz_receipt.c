/* Receipt chains, single receipts and receipts in JSON from hostile bytes. What decodes must
 * encode to the same bytes again; JSON that was written from a decoded chain must be read again. */
#include "node/cli/observe/receipt_verify.h"
#include "node/trust/receipt_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t ROOT[CRYPTO_PUBLIC_SIZE] = {1};

static void one_record(struct bytes record)
{
    struct receipt r;
    uint8_t space[RECEIPT_RECORD_MAX];
    struct buf again;
    if (receipt_decode(record, &r) != ERR_OK)
        return;
    buf_init_fixed(&again, space, sizeof(space));
    CHECK(receipt_encode(&r, &again) == ERR_OK);
    CHECK(bytes_equal(record, buf_bytes(&again)));
}

static void one_json(struct bytes json, bool is_ours)
{
    static const char FOREIGN[] = "not valid: it is not a receipt in JSON";
    struct buf report;
    buf_init(&report, RECEIPT_VERIFY_REPORT_MAX);
    enum err e = receipt_verify_json(json, NULL, &report);
    CHECK(report.size > 0 && report.data[report.size - 1] == '\n');
    CHECK((e == ERR_OK) == bytes_starts_with(buf_bytes(&report), BYTES("valid\n")));
    if (is_ours)
        CHECK(!bytes_starts_with(buf_bytes(&report), bytes_from_str(FOREIGN)));
    buf_fini(&report);
}

static void one_chain(struct bytes wire)
{
    struct receipt_entry entries[RECEIPT_HOPS_MAX];
    size_t count;
    const char *detail = NULL;
    if (receipt_chain_decode(wire, entries, &count) != ERR_OK)
        return;
    struct buf out;
    buf_init(&out, RECEIPT_JSON_MAX);
    CHECK(receipt_chain_encode(entries, count, &out) == ERR_OK);
    CHECK(bytes_equal(wire, buf_bytes(&out)));
    CHECK(receipt_chain_verify(entries, count, ROOT, &detail) != ERR_OK && detail);
    for (size_t i = 0; i < count; i++)
        one_record(entries[i].record);

    struct id mesh = id_of_public_key(ROOT);
    buf_clear(&out);
    if (receipt_json_append(entries, count, ROOT, &mesh, &out) == ERR_OK)
        one_json(buf_bytes(&out), true);
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_of(data, size);
    CHECK(crypto_init() == ERR_OK);
    if (size > 0 && data[0] == '{') {
        one_json(input, false);
        return 0;
    }
    one_chain(input);
    one_record(input);
    return 0;
}
