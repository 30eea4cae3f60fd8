/* What a store must hold; see store_fixture.h. */
#ifndef TESTS_UNIT_RAFT_STORE_CHECKS_H
#define TESTS_UNIT_RAFT_STORE_CHECKS_H

#include "store_fixture.h"

static inline void check_record(struct world *w, uint64_t index, uint64_t term)
{
    struct bytes record = {0};
    struct raft_entry entry;
    assert_int_equal(raft_store_read(w->store, index, &record), ERR_OK);
    assert_int_equal(raft_entry_read(&record, &entry), ERR_OK);
    assert_int_equal(record.size, 0);
    assert_int_equal(entry.index, index);
    assert_int_equal(entry.term, term);
    for (size_t i = 0; i < entry.payload.size; i++)
        assert_int_equal(entry.payload.data[i], (uint8_t)(index * 31 + term));
}

static inline void check_records(struct world *w, uint64_t first, uint64_t last, uint64_t term)
{
    for (uint64_t i = first; i <= last; i++)
        check_record(w, i, term);
}

static inline void check_read(struct world *w, uint64_t index, enum err expected)
{
    struct bytes record;
    assert_int_equal(raft_store_read(w->store, index, &record), expected);
}

static inline void check_range(struct world *w, uint64_t base, uint64_t last)
{
    struct raft_boot boot;
    raft_store_boot(w->store, 0, &boot);
    assert_int_equal(boot.base.index, base);
    assert_int_equal(boot.last, last);
    check_read(w, base, ERR_NOT_FOUND);
    check_read(w, last + 1, ERR_NOT_FOUND);
}

static inline void check_term(struct world *w, uint64_t term)
{
    struct raft_boot boot;
    struct raft_hard expected;
    fill_hard(&expected, term);
    raft_store_boot(w->store, 0, &boot);
    assert_int_equal(boot.hard.term, term);
    assert_memory_equal(&boot.hard, &expected, sizeof expected);
}

#endif
