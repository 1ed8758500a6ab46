// SPDX-License-Identifier: MIT
/*
 * A doubly linked list, intrusive and circular: the head is a node, an empty list points at itself.
 */
#ifndef SLUICE_CORE_LIST_H
#define SLUICE_CORE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_node {
    struct list_node *next;
    struct list_node *prev;
};

/** The structure of type `type` whose member `member` is at `node`. */
#define container_of(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

// NOLINTBEGIN(bugprone-macro-parentheses): `node` is declared here
#define list_for_each(node, head)                                                                  \
    for (struct list_node *node = (head)->next; node != (head); node = node->next)

/** As list_for_each, and `node` may be removed in the body. */
#define list_for_each_safe(node, head)                                                             \
    for (struct list_node *node = (head)->next, *node##_next = node->next; node != (head);         \
         node = node##_next, node##_next = node->next)
// NOLINTEND(bugprone-macro-parentheses)

static inline void list_init(struct list_node *head)
{
    head->next = head;
    head->prev = head;
}

static inline bool list_empty(const struct list_node *head)
{
    return head->next == head;
}

/** Adds before the head: at the end. */
static inline void list_append(struct list_node *head, struct list_node *node)
{
    node->next = head;
    node->prev = head->prev;
    head->prev->next = node;
    head->prev = node;
}

/** Removes a node and leaves it empty, so that removing it again is harmless. */
static inline void list_remove(struct list_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

#endif
