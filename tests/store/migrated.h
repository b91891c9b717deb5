/* Runs each test of a program against both databases, on a store of its own that has the newest schema. */
#ifndef TESTS_STORE_MIGRATED_H
#define TESTS_STORE_MIGRATED_H

#include "support/store.h"

#define BOTH_URL support_store_url
#include "../unit/db/both.h"

#endif
