/* Intrusive pairing heap (Fredman, Sedgewick, Sleator, Tarjan: "The pairing heap", 1986): who comes
 * first of many, in an order that the caller gives. Adding is O(1), taking any out O(log n)
 * amortised. Nothing is allocated: whoever owns the enclosing struct owns its place in the heap.
 * What the order depends on may change only while the node is out. */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

struct heap_node { /* zero-initialised while it is in no heap */
    struct heap_node *child;
    struct heap_node *next;
    struct heap_node *back; /* the sibling before it; of the first one the parent */
};

/* Strict: never both of a before b and b before a. */
typedef bool heap_before(const struct heap_node *a, const struct heap_node *b);

struct heap {
    struct heap_node *first; /* NULL: empty */
    heap_before *is_before;
};

#define HEAP_ENTRY(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

void heap_init(struct heap *h, heap_before *is_before);
void heap_add(struct heap *h, struct heap_node *node);
/* It has to be in this heap. */
void heap_remove(struct heap *h, struct heap_node *node);

#endif
