// SPDX-License-Identifier: Apache-2.0
// libjose without a link line: its functions under their own names, each passed on to the library, which is opened by the
// first of them. When it is opened it starts all of libcrypto, a quarter of the shortest commands: some do without, and
// others ask a server first.
#include "CJose.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *library;

// For good: libjose is not made to be closed.
static void open_library(void) { library = dlopen("libjose.so.0", RTLD_NOW | RTLD_LOCAL); }

// Nothing here works without libjose. Where it is missing the program ends as the dynamic loader ends one whose libraries are
// not all there, so that nobody takes a library for a key that does not fit.
static void *find(const char *name) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_library);
    void *function = library ? dlsym(library, name) : NULL;
    if (!function) {
        dprintf(STDERR_FILENO, "error while loading shared libraries: %s\n", dlerror());
        _exit(127);
    }
    return function;
}

// Hidden, so that libjose calls its own functions and not these.
#define FORWARD(result, name, parameters, arguments)                       \
    __attribute__((visibility("hidden"))) result name parameters {         \
        return ((__typeof__(name) *)find(#name)) arguments;                \
    }

FORWARD(jose_cfg_t *, jose_cfg, (void), ())
FORWARD(void, jose_cfg_decref, (jose_cfg_t *context), (context))
FORWARD(void, jose_cfg_set_err_func, (jose_cfg_t *context, jose_cfg_err_t *report, void *user), (context, report, user))
FORWARD(bool, jose_jwk_prm, (jose_cfg_t *context, const json_t *jwk, bool required, const char *operation),
        (context, jwk, required, operation))
FORWARD(json_t *, jose_jwk_thp, (jose_cfg_t *context, const json_t *jwk, const char *algorithm), (context, jwk, algorithm))
FORWARD(bool, jose_jws_ver,
        (jose_cfg_t *context, const json_t *jws, const json_t *signature, const json_t *jwk, bool all),
        (context, jws, signature, jwk, all))
