/*
 * Memory kept for what must not fail. A change that is on disk has to become
 * visible, and who is connected has to be served: so changes and newcomers are
 * refused while there is still some memory left, and not when there is none.
 *
 * It belongs to the loop's thread.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef MUPDATED_RESERVE_H
#define MUPDATED_RESERVE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Kept for changes that are under way already; as much must be there besides. Neither is
 * touched: they cost address space only.
 */
#define RESERVE_BYTES ((size_t)8 << 20)

/* What may be taken between two looks at whether it is there. */
#define RESERVE_STEP_BYTES ((size_t)1 << 20)

/*
 * Whether there is memory to spare for something new that will take about so many bytes.
 * When that changes it is logged.
 */
bool reserve_allows(size_t bytes);

/* Give what is kept to malloc(). False: there was nothing. */
bool reserve_spend(void);

#endif
