/*
 * The order of the packets of a GSSAPI security layer. Each is a token of RFC
 * 4121, section 4.2.6.2, with a number that the protection covers. GSSAPI only
 * remarks that one is missing or comes again, and Cyrus-SASL does not listen, so
 * that somebody on the wire could have a command done twice.
 *
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <string.h>

#include "layer/sasl_internal.h"

#define LENGTH_BYTES 4
#define TOKEN_BYTES (SASL_ORDER_BYTES - LENGTH_BYTES)

static uint64_t big_endian(const uint8_t *at, size_t len)
{
    uint64_t number = 0;

    for (size_t i = 0; i < len; i++)
        number = number << 8 | at[i];
    return number;
}

static bool is_wrap_token(const uint8_t *token, size_t len)
{
    return len >= TOKEN_BYTES && token[0] == 0x05 && token[1] == 0x04;
}

void sasl_order_note(struct sasl_order *order, const void *data, size_t len)
{
    const uint8_t *token = data;

    order->known = is_wrap_token(token, len);
    if (order->known)
        order->next = big_endian(token + 8, 8) + 1;
}

bool sasl_order_check(struct sasl_order *order, const void *data, size_t len)
{
    const uint8_t *bytes = data;

    while (len > 0) {
        size_t take;

        if (order->rest > 0) {
            take = len < order->rest ? len : order->rest;
            order->rest -= take;
        } else {
            const uint8_t *token = order->head + LENGTH_BYTES;
            uint64_t length;

            take = SASL_ORDER_BYTES - order->head_len;
            if (take > len)
                take = len;
            memcpy(order->head + order->head_len, bytes, take);
            order->head_len += take;
            if (order->head_len == SASL_ORDER_BYTES) {
                length = big_endian(order->head, LENGTH_BYTES);
                if (!is_wrap_token(token, (size_t)length) ||
                    big_endian(token + 8, 8) != order->next)
                    return false;
                order->next++;
                order->rest = (size_t)length - TOKEN_BYTES;
                order->head_len = 0;
            }
        }
        bytes += take;
        len -= take;
    }
    return true;
}
