// SPDX-License-Identifier: MIT
// See follow.h.
//
// The signals that end it are blocked but while it waits, so that none is missed between the look
// at `stopped` and the wait. The kernel's log gives one record a read, and EPIPE once when records
// were overwritten; the next one's number tells how many [Linux, Documentation/ABI/testing/
// dev-kmsg].
#include "follow.h"

#include "../cli.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct following {
    struct engine *engine;
    const struct report *report;
    const struct cli_out *out;
    uint64_t *shown; // counts of the problems, as shown
    char *buffer;    // FOLLOW_BYTES, of which `held` are a line that has not ended
    size_t held;
    bool overrun; // and its extent is not known yet
    uint64_t sequence, lost;
};

// ---- what is new ----

static bool show_news(struct following *following)
{
    const struct problems *problems = &following->engine->problems;

    for (unsigned int i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->entries[i];
        struct report once = *following->report;
        uint64_t shown = following->shown[i];

        if (problem->count < 2 * shown || problem->count == shown)
            continue;
        once.brief = once.brief || shown > 0;
        report_entry(&once, following->out, problem, i + 1);
        following->shown[i] = problem->count;
    }
    return fflush(following->out->stream) == 0;
}

static void note_overrun(struct following *following, const char *record)
{
    char *end;
    uint64_t sequence;

    // "6,1234,5678901,-;text": the second number counts records.
    (void)strtoull(record, &end, 10);
    if (end == record || *end != ',')
        return;
    record = end + 1;
    sequence = strtoull(record, &end, 10);
    if (end == record || *end != ',')
        return;
    if (following->overrun && sequence > following->sequence + 1) {
        uint64_t lost = sequence - following->sequence - 1;

        following->lost += lost;
        cli_error(following->report->source,
                  "%llu record%s overwritten before being read, and missing here",
                  (unsigned long long)lost, lost == 1 ? " was" : "s were");
    }
    following->overrun = false;
    following->sequence = sequence;
}

// Whole lines go to the engine; what is left moves to the buffer's start.
static bool take(struct following *following, size_t got)
{
    char *buffer = following->buffer;
    const char *end;
    size_t whole;

    if (following->held == 0) {
        buffer[got] = '\0';
        note_overrun(following, buffer);
    }
    following->held += got;
    end = memrchr(buffer, '\n', following->held);
    whole = end == NULL ? 0 : (size_t)(end - buffer) + 1;
    if (whole == 0 && following->held > FOLLOW_BYTES / 2)
        whole = following->held;
    engine_feed(following->engine, buffer, whole);
    memmove(buffer, buffer + whole, following->held - whole);
    following->held -= whole;
    return show_news(following);
}

// ---- from the source to its end ----

static bool pump(struct following *following, const struct follow_source *source)
{
    for (;;) {
        char *at = following->buffer + following->held;
        ssize_t got = source->read(source->arg, at, FOLLOW_BYTES - following->held - 1);

        if (got < 0 && errno == EPIPE) {
            following->overrun = true;
        } else if (got < 0 && errno != EINTR) {
            cli_error(source->name, "%s", strerror(errno));
            return false;
        } else if (got <= 0) {
            return true;
        } else if (!take(following, (size_t)got)) {
            cli_error("standard output", "could not be written");
            return false;
        }
    }
}

static bool finish(struct following *following)
{
    engine_feed(following->engine, following->buffer, following->held);
    engine_finish(following->engine);
    (void)show_news(following);
    (void)fputc('\n', following->out->stream);
    report_summary(following->report, following->out);
    if (following->lost > 0)
        (void)fprintf(following->out->stream, "%llu record%s overwritten before being read.\n",
                      (unsigned long long)following->lost,
                      following->lost == 1 ? " was" : "s were");
    return fflush(following->out->stream) == 0;
}

bool follow_source(struct engine *engine, const struct report *report, const struct cli_out *out,
                   const struct follow_source *source)
{
    struct following following = {
        .engine = engine,
        .report = report,
        .out = out,
        .shown = calloc(PROBLEMS_MOST, sizeof(*following.shown)),
        .buffer = malloc(FOLLOW_BYTES),
    };
    bool good = following.shown != NULL && following.buffer != NULL;

    if (!good)
        cli_error(NULL, "out of memory");
    good = good && pump(&following, source);
    good = good && finish(&following);
    free(following.shown);
    free(following.buffer);
    return good;
}

// ---- files ----

struct descriptor {
    int fd;
    sigset_t while_waiting;
};

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
    (void)signal_number;
    stopped = 1;
}

static void catch_signals(sigset_t *out_before)
{
    static const struct sigaction action = {.sa_handler = stop};
    sigset_t both;

    (void)sigemptyset(&both);
    (void)sigaddset(&both, SIGINT);
    (void)sigaddset(&both, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &both, out_before);
    (void)sigdelset(out_before, SIGINT);
    (void)sigdelset(out_before, SIGTERM);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

static ssize_t read_descriptor(void *arg, char *buffer, size_t size_bytes)
{
    const struct descriptor *descriptor = arg;
    struct pollfd wait = {.fd = descriptor->fd, .events = POLLIN};

    for (;;) {
        ssize_t got;

        if (ppoll(&wait, 1, NULL, &descriptor->while_waiting) < 0 && errno != EINTR)
            return -1;
        if (stopped != 0) {
            errno = EINTR;
            return -1;
        }
        got = read(descriptor->fd, buffer, size_bytes);
        if (got >= 0 || (errno != EAGAIN && errno != EINTR))
            return got;
    }
}

// Not blocking, so that a FIFO opens before somebody writes to it.
static int open_source(const char *file)
{
    struct stat status;
    int fd;

    if (strcmp(file, "-") == 0)
        return STDIN_FILENO;
    fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        (void)close(fd);
        errno = EISDIR;
        return -1;
    }
    return fd;
}

bool follow(struct engine *engine, const struct report *report, const struct cli_out *out,
            const char *file)
{
    struct descriptor descriptor = {.fd = open_source(file)};
    const struct follow_source source = {report->source, read_descriptor, &descriptor};
    bool good;

    if (descriptor.fd < 0) {
        cli_error(file, "%s%s", strerror(errno),
                  strcmp(file, FOLLOW_KERNEL) == 0
                      ? "; this file takes root. `dmesg -w | sluice explain --follow=-` or a log "
                        "file work without"
                      : "");
        return false;
    }
    catch_signals(&descriptor.while_waiting);
    good = follow_source(engine, report, out, &source);
    if (descriptor.fd != STDIN_FILENO)
        (void)close(descriptor.fd);
    return good;
}
