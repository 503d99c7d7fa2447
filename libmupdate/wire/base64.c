/* SPDX-License-Identifier: BSD-3-Clause */
#include "wire/base64.h"

static const char alphabet[64] = {
    'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P',
    'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'a', 'b', 'c', 'd', 'e', 'f',
    'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v',
    'w', 'x', 'y', 'z', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '+', '/',
};

#define NOT_BASE64 64u

size_t base64_encoded_len(size_t len)
{
    size_t groups = len / 3 + (len % 3 != 0);

    return groups > SIZE_MAX / 4 ? SIZE_MAX : groups * 4;
}

void base64_encode(char *to, const void *data, size_t len)
{
    const uint8_t *from = data;

    for (; len >= 3; len -= 3, from += 3) {
        *to++ = alphabet[from[0] >> 2];
        *to++ = alphabet[(from[0] & 3) << 4 | from[1] >> 4];
        *to++ = alphabet[(from[1] & 15) << 2 | from[2] >> 6];
        *to++ = alphabet[from[2] & 63];
    }
    if (len == 1) {
        *to++ = alphabet[from[0] >> 2];
        *to++ = alphabet[(from[0] & 3) << 4];
        *to++ = '=';
        *to++ = '=';
    } else if (len == 2) {
        *to++ = alphabet[from[0] >> 2];
        *to++ = alphabet[(from[0] & 3) << 4 | from[1] >> 4];
        *to++ = alphabet[(from[1] & 15) << 2];
        *to++ = '=';
    }
}

static unsigned int sextet(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - (unsigned int)'A';
    if (c >= 'a' && c <= 'z')
        return c - (unsigned int)'a' + 26;
    if (c >= '0' && c <= '9')
        return c - (unsigned int)'0' + 52;
    if (c == '+')
        return 62;
    if (c == '/')
        return 63;
    return NOT_BASE64;
}

bool base64_decode(uint8_t *text, size_t len, size_t *decoded)
{
    uint8_t *to = text;

    *decoded = 0;
    if (len % 4 != 0)
        return false;
    for (size_t i = 0; i < len; i += 4) {
        unsigned int a = sextet(text[i]);
        unsigned int b = sextet(text[i + 1]);
        unsigned int c = sextet(text[i + 2]);
        unsigned int d = sextet(text[i + 3]);
        unsigned int padding = 0;

        if (i + 4 == len && text[i + 3] == '=')
            padding = text[i + 2] == '=' ? 2 : 1;
        if (padding >= 1)
            d = 0;
        if (padding == 2)
            c = 0;
        if ((a | b | c | d) & NOT_BASE64)
            return false;
        if ((padding == 2 && b & 15) || (padding == 1 && c & 3))
            return false;
        *to++ = (uint8_t)(a << 2 | b >> 4);
        if (padding < 2)
            *to++ = (uint8_t)((b & 15) << 4 | c >> 2);
        if (padding < 1)
            *to++ = (uint8_t)((c & 3) << 6 | d);
    }
    *decoded = (size_t)(to - text);
    return true;
}
