// SPDX-License-Identifier: Apache-2.0
// One library context of libcrypto for all that libtss2-esys computes. It would make a new one for each hash, HMAC and random
// number, load the providers into it and look every algorithm up again: two thirds of the time that a TPM's secret takes.
//
// The loader finds a program's own functions first. These stand before libcrypto's for every library, and pass on the calls of
// all but libtss2-esys. Where a program does not export them nothing happens but that it is slower.
#define _GNU_SOURCE
#include "CTSS2Contexts.h"
#include <dlfcn.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

static OSSL_LIB_CTX *(*make)(void);
static void (*destroy)(OSSL_LIB_CTX *);
static pthread_once_t found = PTHREAD_ONCE_INIT;
// Made at the first call, for the life of the process; libcrypto locks what is in it.
static OSSL_LIB_CTX *shared;
static pthread_once_t made = PTHREAD_ONCE_INIT;

static void find(void) {
    make = (__typeof__(make))dlsym(RTLD_NEXT, "OSSL_LIB_CTX_new");
    destroy = (__typeof__(destroy))dlsym(RTLD_NEXT, "OSSL_LIB_CTX_free");
}

static void share(void) { shared = make ? make() : NULL; }

static int is_esys(const void *caller) {
    Dl_info library;
    return dladdr(caller, &library) && library.dli_fname && strstr(library.dli_fname, "/libtss2-esys.so");
}

OSSL_LIB_CTX *OSSL_LIB_CTX_new(void) {
    pthread_once(&found, find);
    if (!is_esys(__builtin_return_address(0))) return make ? make() : NULL;
    pthread_once(&made, share);
    return shared;
}

void OSSL_LIB_CTX_free(OSSL_LIB_CTX *context) {
    pthread_once(&found, find);
    if (context && context != shared && destroy) destroy(context);
}

void cvm_tss2_prepare_context(void) {
    unsigned char number;
    pthread_once(&found, find);
    pthread_once(&made, share);
    if (!shared) return;
    EVP_MD_free(EVP_MD_fetch(shared, "SHA256", NULL));
    RAND_bytes_ex(shared, &number, sizeof number, 0);
}
