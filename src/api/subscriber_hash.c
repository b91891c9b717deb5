/* The proof of who a subscriber is. */
#include "api/subscriber_hash.h"

#include <ctype.h>

#include "base/crypto.h"

enum { HASH_HEX = 64 };

bool subscriber_hash_good(struct arena *a, const struct str *secrets, size_t n, struct str text, struct str given)
{
    char lower[HASH_HEX];
    bool ok = false;
    if (given.n != HASH_HEX)
        return false;
    for (size_t i = 0; i < HASH_HEX; i++)
        lower[i] = (char)tolower((unsigned char)given.p[i]);
    for (size_t i = 0; i < n; i++)
        ok |= crypto_equal(crypto_hmac_sha256_hex(a, secrets[i], text), (struct str){lower, HASH_HEX});
    return ok;
}
