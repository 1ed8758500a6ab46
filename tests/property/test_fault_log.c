// SPDX-License-Identifier: MIT
/*
 * The fault log under a storm: several writers, readers of different pace. Every record is read or
 * counted as lost, none twice, none torn, whatever overtakes what.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fault/log.h"
#include "models/host.h"
#include "rounds.h"

#define WRITERS 3u
#define READERS 2u
#define RECORDS 64u

struct storm {
    struct model_host *host;
    struct sluice sluice;
    struct fault_log log;
    uint64_t each; /**< records a writer writes */
    atomic_uint writing;
};

struct writer {
    struct storm *storm;
    unsigned index;
};

struct reader {
    struct storm *storm;
    bool slow;
    uint64_t read, lost, of[WRITERS], torn, backwards, spun;
};

/** Every field from one number, so that a torn record shows. */
static struct sluice_fault fault_of(unsigned writer, uint64_t count)
{
    return (struct sluice_fault){.source = writer,
                                 .address = count * 4096,
                                 .hardware_code = (uint32_t)count * 7u,
                                 .interrupt_index = (uint32_t)count ^ 0x5a5a5a5au,
                                 .time_ns = ~count,
                                 .address_valid = true};
}

static void *write_all(void *arg)
{
    struct writer *writer = arg;
    struct storm *storm = writer->storm;

    for (uint64_t i = 0; i < storm->each; i++) {
        struct sluice_fault fault = fault_of(writer->index, i + 1);

        fault_log_put(&storm->log, &fault);
    }
    atomic_fetch_sub(&storm->writing, 1);
    return NULL;
}

static void judge(struct reader *reader, const struct sluice_fault *fault)
{
    uint64_t count = fault->address / 4096;
    struct sluice_fault whole;

    if (fault->source >= WRITERS) {
        reader->torn++;
        return;
    }
    whole = fault_of(fault->source, count);
    reader->torn += whole.hardware_code != fault->hardware_code ||
                    whole.interrupt_index != fault->interrupt_index ||
                    whole.time_ns != fault->time_ns || !fault->address_valid;
    /* Of one writer in its order, each once. */
    reader->backwards += count <= reader->of[fault->source];
    reader->of[fault->source] = count;
    reader->read++;
}

static void *read_all(void *arg)
{
    struct reader *reader = arg;
    struct storm *storm = reader->storm;
    uint64_t cursor = 0;

    for (;;) {
        bool over = atomic_load(&storm->writing) == 0;
        struct sluice_fault fault;

        while (fault_log_get(&storm->log, &cursor, &fault, &reader->lost)) {
            judge(reader, &fault);
            for (volatile unsigned i = 0; reader->slow && i < 2000; i++)
                reader->spun++;
        }
        if (over)
            break;
        sched_yield();
    }
    /* What was overtaken at the very end leaves a number without a record. */
    reader->lost += fault_log_end(&storm->log) - cursor;
    return NULL;
}

static void storm_begin(struct storm *storm, uint64_t each)
{
    memset(storm, 0, sizeof(*storm));
    storm->host = model_host_create(&(struct model_host_config){0});
    model_host_configure(storm->host, &storm->sluice.config);
    storm->sluice.ops = storm->sluice.config.ops;
    storm->each = each;
    assert_int_equal(fault_log_init(&storm->sluice, &storm->log, RECORDS), SLUICE_OK);
}

static void storm_end(struct storm *storm)
{
    fault_log_clear(&storm->sluice, &storm->log);
    assert_int_equal(model_host_objects_in_use(storm->host), 0);
    assert_int_equal(model_host_destroy(storm->host), 0);
}

static void test_storm(void **state)
{
    struct writer writers[WRITERS];
    struct reader readers[READERS] = {0};
    pthread_t threads[WRITERS + READERS];
    struct storm storm;
    uint64_t total;

    (void)state;
    storm_begin(&storm, test_scaled(100000));
    total = storm.each * WRITERS;
    atomic_store(&storm.writing, WRITERS);
    for (unsigned i = 0; i < READERS; i++) {
        readers[i].storm = &storm;
        readers[i].slow = i == 1;
        assert_int_equal(pthread_create(&threads[WRITERS + i], NULL, read_all, &readers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){&storm, i};
        assert_int_equal(pthread_create(&threads[i], NULL, write_all, &writers[i]), 0);
    }
    for (unsigned i = 0; i < WRITERS + READERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(fault_log_end(&storm.log), total);
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(readers[i].torn, 0);
        assert_int_equal(readers[i].backwards, 0);
        assert_int_equal(readers[i].read + readers[i].lost, total);
        assert_true(readers[i].read > 0);
    }
    storm_end(&storm);
}

/** One writer, nobody in a hurry: exactly the last RECORDS are there. */
static void test_overrun(void **state)
{
    struct reader reader = {0};
    struct sluice_fault fault;
    struct storm storm;
    uint64_t cursor = 0;

    (void)state;
    storm_begin(&storm, 0);
    reader.storm = &storm;
    assert_false(fault_log_get(&storm.log, &cursor, &fault, &reader.lost));
    for (uint64_t i = 1; i <= 1000000; i++) {
        fault = fault_of(0, i);
        fault_log_put(&storm.log, &fault);
    }
    while (fault_log_get(&storm.log, &cursor, &fault, &reader.lost))
        judge(&reader, &fault);
    assert_int_equal(reader.read, RECORDS);
    assert_int_equal(reader.lost, 1000000 - RECORDS);
    assert_int_equal(reader.of[0], 1000000);
    assert_int_equal(reader.torn + reader.backwards, 0);
    assert_int_equal(atomic_load(&storm.log.overtaken), 0);
    storm_end(&storm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_overrun),
                                       cmocka_unit_test(test_storm)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
