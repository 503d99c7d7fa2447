/*
 * COMPRESS "DEFLATE": raw deflate in both directions, as RFC 4978 does it for
 * IMAP. The only home of <zlib.h>.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef LAYER_DEFLATE_H
#define LAYER_DEFLATE_H

#include "layer/layer.h"

/* A new layer, or NULL when memory ran out. */
struct layer *deflate_layer_new(void);

#endif
