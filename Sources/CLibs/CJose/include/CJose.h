// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <jansson.h>
#include <jose/cfg.h>
#include <jose/jwk.h>
#include <jose/jws.h>
#include <stdarg.h>

static inline void cvm_jose_ignore(void *context, const char *file, int line, uint64_t code, const char *format,
                                   va_list rest) {}

// Keeps libjose from printing on standard error what it tried and what did not fit; released with jose_cfg_decref.
static inline jose_cfg_t *cvm_jose_quiet(void) {
    jose_cfg_t *context = jose_cfg();
    if (context) jose_cfg_set_err_func(context, cvm_jose_ignore, NULL);
    return context;
}
