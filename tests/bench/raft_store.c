/* How fast raft's store commits on this disk, beside a bare write and fdatasync of as many bytes
 * into an allocated file, and how fast it loads. Ends with one JSON object.
 *
 * usage: raft_store DIR [--seconds S] [--processes N] [--load ENTRIES] */
#include "base/disk.h"
#include "raft/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAYLOAD 400 /* a signed command with a value of 256 bytes */
#define SAMPLES_MAX 1000000
#define FLOOR_SIZE (8u << 20)

struct options {
    const char *dir;
    double seconds;
    int processes;
    uint64_t load;
};

struct result {
    double commits_s, p50_us, p99_us;
};

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void must(enum err e, const char *what)
{
    if (e == ERR_OK)
        return;
    fprintf(stderr, "raft_store: %s: %s\n", what, err_text(e));
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct result summary(double *us, size_t count, double seconds)
{
    struct result r = {(double)count / seconds, 0, 0};
    qsort(us, count, sizeof *us, by_value);
    r.p50_us = us[count / 2];
    r.p99_us = us[count * 99 / 100];
    return r;
}

/* --- one commit after another */

struct writer {
    struct raft_store *store;
    struct buf records;
    uint64_t last, token;
    uint8_t hash[CRYPTO_HASH_SIZE];
};

static void open_store(struct writer *w, const char *dir, bool no_sync)
{
    char snapshots[512];
    struct buf message;
    snprintf(snapshots, sizeof snapshots, "%s-snapshots", dir);
    buf_init(&message, 1024);
    struct raft_store_cfg cfg = {.dir = dir, .snapshots_dir = snapshots, .no_sync = no_sync};
    must(raft_store_open(&cfg, &message, &w->store), "open");
    buf_fini(&message);
}

static void commit(struct writer *w, int count)
{
    static uint8_t payload[PAYLOAD];
    struct raft_base base = {.term = 1};
    struct raft_write write = {
        .token = ++w->token, .first_index = w->last + 1, .record_count = (uint64_t)count};
    buf_clear(&w->records);
    for (int i = 0; i < count; i++) {
        struct raft_entry e = {.kind = RAFT_COMMAND, .term = 1, .index = ++w->last};
        size_t at = w->records.size;
        memcpy(e.prev, w->hash, sizeof e.prev);
        e.payload = bytes_of(payload, sizeof payload);
        must(raft_entry_append(&w->records, &e), "record");
        raft_entry_hash(bytes_skip(buf_bytes(&w->records), at), w->hash);
    }
    write.records = buf_bytes(&w->records);
    if (w->last > 2000) {
        base.index = w->last - 2000;
        write.trim = &base;
    }
    must(raft_store_add(w->store, &write), "add");
    if (!raft_store_begin(w->store))
        exit(1);
    raft_store_commit(w->store);
    must(raft_store_end(w->store, &w->token), "commit");
}

static struct result measure_store(const struct options *o, const char *dir, int count)
{
    static double us[SAMPLES_MAX];
    struct writer w = {0};
    size_t n = 0;
    buf_init(&w.records, 1 << 20);
    open_store(&w, dir, false);
    for (int i = 0; i < 100; i++)
        commit(&w, count);
    double start = now_us(), end = start + o->seconds * 1e6;
    for (double at = start; at < end && n < SAMPLES_MAX;) {
        commit(&w, count);
        double after = now_us();
        us[n++] = after - at;
        at = after;
    }
    raft_store_close(w.store);
    buf_fini(&w.records);
    return summary(us, n, (now_us() - start) / 1e6);
}

static struct result measure_floor(const struct options *o, const char *dir, int count)
{
    static double us[SAMPLES_MAX];
    static uint8_t data[FLOOR_SIZE];
    struct disk_file file;
    size_t n = 0, size = ((size_t)count * (PAYLOAD + RAFT_RECORD_HEAD) + 400 + 4095) / 4096 * 4096;
    struct bytes part = bytes_of(data, sizeof data);
    must(disk_dir_make(dir, true), "floor");
    must(disk_open(dir, "floor", DISK_EMPTY, &file), "floor");
    must(disk_write(&file, 0, &part, 1), "floor");
    must(disk_sync(&file), "floor");
    part.size = size;
    uint64_t offset = 0;
    double start = now_us(), end = start + o->seconds * 1e6;
    for (double at = start; at < end && n < SAMPLES_MAX;) {
        data[0]++;
        must(disk_write(&file, offset, &part, 1), "floor");
        must(disk_sync(&file), "floor");
        offset = offset + 2 * size > sizeof data ? 0 : offset + size;
        double after = now_us();
        us[n++] = after - at;
        at = after;
    }
    disk_close(&file);
    return summary(us, n, (now_us() - start) / 1e6);
}

/* The median of what several processes at once see. */
static struct result in_processes(const struct options *o, int count, int processes,
                                  struct result (*measure)(const struct options *, const char *,
                                                           int))
{
    int ends[2];
    struct result results[16], sum = {0};
    if (pipe(ends) != 0)
        exit(1);
    for (int i = 0; i < processes; i++) {
        char dir[512];
        static int number;
        snprintf(dir, sizeof dir, "%s/%d", o->dir, number++);
        if (fork() == 0) {
            struct result r = measure(o, dir, count);
            _exit(write(ends[1], &r, sizeof r) != sizeof r);
        }
    }
    close(ends[1]);
    for (int i = 0; i < processes; i++) {
        if (read(ends[0], &results[i], sizeof results[i]) != sizeof results[i])
            exit(1);
        sum.commits_s += results[i].commits_s / processes;
        sum.p50_us += results[i].p50_us / processes;
        sum.p99_us += results[i].p99_us / processes;
    }
    close(ends[0]);
    while (wait(NULL) > 0)
        continue;
    return sum;
}

static void print_result(const char *what, int processes, int count, struct result r)
{
    printf("%s{\"what\":\"%s\",\"processes\":%d,\"entries\":%d,\"commits_s\":%.0f,"
           "\"entries_s\":%.0f,\"p50_us\":%.0f,\"p99_us\":%.0f}",
           processes == 1 && count == 1 && *what == 's' ? "" : ",", what, processes, count,
           r.commits_s, r.commits_s * count, r.p50_us, r.p99_us);
}

/* --- loading */

static void measure_load(const struct options *o)
{
    struct writer w = {0};
    struct bytes record;
    char dir[512];
    snprintf(dir, sizeof dir, "%s/load", o->dir);
    buf_init(&w.records, 1 << 20);
    open_store(&w, dir, true);
    struct raft_write write = {0};
    while (w.last < o->load) {
        buf_clear(&w.records);
        write.first_index = w.last + 1;
        write.record_count = 256;
        write.token = ++w.token;
        for (int i = 0; i < 256; i++) {
            static uint8_t payload[PAYLOAD];
            struct raft_entry e = {.kind = RAFT_COMMAND, .term = 1, .index = ++w.last};
            e.payload = bytes_of(payload, sizeof payload);
            must(raft_entry_append(&w.records, &e), "record");
        }
        write.records = buf_bytes(&w.records);
        must(raft_store_add(w.store, &write), "add");
        while (raft_store_begin(w.store)) {
            raft_store_commit(w.store);
            must(raft_store_end(w.store, &w.token), "commit");
        }
    }
    raft_store_close(w.store);
    double start = now_us();
    open_store(&w, dir, true);
    double opened = now_us();
    for (uint64_t i = 1; i <= w.last; i++)
        must(raft_store_read(w.store, i, &record), "read");
    printf("],\"load\":{\"entries\":%llu,\"open_s\":%.3f,\"read_all_s\":%.3f}",
           (unsigned long long)w.last, (opened - start) / 1e6, (now_us() - opened) / 1e6);
    raft_store_close(w.store);
    buf_fini(&w.records);
}

int main(int argc, char **argv)
{
    struct options o = {.dir = argc > 1 ? argv[1] : NULL, .seconds = 2, .processes = 3};
    o.load = 1000000;
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seconds") == 0)
            o.seconds = strtod(argv[i + 1], NULL);
        else if (strcmp(argv[i], "--processes") == 0)
            o.processes = (int)strtol(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--load") == 0)
            o.load = strtoull(argv[i + 1], NULL, 10);
    }
    if (!o.dir || o.processes < 1 || o.processes > 16 || crypto_init() != ERR_OK) {
        fputs("usage: raft_store DIR [--seconds S] [--processes N] [--load ENTRIES]\n", stderr);
        return 2;
    }
    must(disk_dir_make(o.dir, true), o.dir);
    printf("{\"commits\":[");
    for (int processes = 1; processes <= o.processes; processes += o.processes - 1) {
        for (int count = 1; count <= 64; count *= 8) {
            fflush(stdout);
            print_result("store", processes, count,
                         in_processes(&o, count, processes, measure_store));
            fflush(stdout);
            print_result("floor", processes, count,
                         in_processes(&o, count, processes, measure_floor));
        }
        if (o.processes == 1)
            break;
    }
    measure_load(&o);
    puts("}");
    return 0;
}
