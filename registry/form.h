/* Inside the registry: whether documents and operations have the form that the schema asks for,
 * whatever stands in the state. The same for clients before they sign and for apply. */
#ifndef REGISTRY_FORM_H
#define REGISTRY_FORM_H

#include "registry/command.h"

/* INVALID, *ret_fault says what; untouched when OK. `index` names the operation in it. */
MUST_CHECK enum err registry_form_check(const struct registry_op *op, size_t index,
                                        struct registry_fault *ret_fault);

#endif
