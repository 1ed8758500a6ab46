// SPDX-License-Identifier: MIT
#include "watch.h"

static void look(struct watch *watch)
{
    struct world *world = watch->world;
    uint8_t byte = 0;

    /* Untranslated access to memory would move. */
    if (dma_device_read(world->devices[0], watch->secret, &byte, 1, NULL) ||
        dma_device_read(world->devices[1], watch->secret, &byte, 1, NULL))
        watch->outside = true;
    switch (world_reaches(world, 0)) {
    case -1:
        watch->blocked_seen++;
        break;
    case 0:
        watch->new_seen++;
        break;
    case 2:
        watch->old_seen++;
        break;
    case 1:
        watch->new_seen++;
        watch->outside = watch->outside || !watch->both;
        break;
    default:
        watch->outside = true;
    }
}

void watch_on_write(void *arg, const struct model_mmio_event *event)
{
    struct watch *watch = arg;

    if (!event->after && watch->count < WATCH_WRITES_MAX) {
        watch->translating[watch->count] = watch->world->kind->translating(watch->world->model);
        watch->writes[watch->count++] = *event;
    }
    if (watch->armed)
        look(watch);
}

unsigned watch_first_write(const struct watch *watch, unsigned offset, uint64_t bits)
{
    for (unsigned i = 0; i < watch->count; i++) {
        if (watch->writes[i].phys == watch->world->desc.base + offset &&
            (watch->writes[i].value & bits) == bits)
            return i;
    }
    return WATCH_WRITES_MAX;
}
