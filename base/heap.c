/* See heap.h. A tree whose nodes come before their children, which are a chain from `child` by
 * `next`. Used by node/egress/queue. */
#include "base/heap.h"

void heap_init(struct heap *h, heap_before *is_before)
{
    *h = (struct heap){.is_before = is_before};
}

/* Both have no siblings; the later one becomes the first child of the other. */
static struct heap_node *meld(const struct heap *h, struct heap_node *a, struct heap_node *b)
{
    if (!a || !b)
        return a ? a : b;
    if (h->is_before(b, a)) {
        struct heap_node *swap = a;
        a = b;
        b = swap;
    }
    b->back = a;
    b->next = a->child;
    if (a->child)
        a->child->back = b;
    a->child = b;
    return a;
}

static struct heap_node *alone(struct heap_node *node)
{
    if (node)
        node->next = node->back = NULL;
    return node;
}

/* A chain of siblings into one tree: pairs from left to right, then all of them from the right. */
static struct heap_node *meld_chain(const struct heap *h, struct heap_node *chain)
{
    struct heap_node *pairs = NULL, *all = NULL;
    while (chain) {
        struct heap_node *a = chain, *b = a->next;
        chain = b ? b->next : NULL;
        struct heap_node *pair = meld(h, alone(a), alone(b));
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs) {
        struct heap_node *pair = pairs;
        pairs = pair->next;
        all = meld(h, all, alone(pair));
    }
    return all;
}

void heap_add(struct heap *h, struct heap_node *node)
{
    *node = (struct heap_node){.child = NULL};
    h->first = meld(h, h->first, node);
}

static void cut(struct heap_node *node)
{
    if (node->back->child == node)
        node->back->child = node->next;
    else
        node->back->next = node->next;
    if (node->next)
        node->next->back = node->back;
}

void heap_remove(struct heap *h, struct heap_node *node)
{
    bool was_first = node == h->first;
    if (!was_first)
        cut(node);
    struct heap_node *rest = meld_chain(h, node->child);
    h->first = was_first ? rest : meld(h, h->first, rest);
    *node = (struct heap_node){.child = NULL};
}
