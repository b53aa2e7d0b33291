// SPDX-License-Identifier: Apache-2.0
// libcryptsetup without a link line: its functions under their own names, each passed on to the library, which is opened by
// the first of them. Nine more libraries come with it, a millisecond of every start, and most commands touch no volume.
#include "CCryptsetup.h"
#include <dlfcn.h>
#include <pthread.h>

static void *library;

// For good: libcryptsetup is not made to be closed.
static void open_library(void) { library = dlopen("libcryptsetup.so.12", RTLD_NOW | RTLD_LOCAL); }

static void *find(const char *name) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_library);
    return library ? dlsym(library, name) : NULL;
}

// Hidden, so that libcryptsetup calls its own functions and not these. Without the library they fail with `missing`, as a
// system does that cannot find a shared library.
#define FORWARD(result, name, parameters, arguments, missing)               \
    __attribute__((visibility("hidden"))) result name parameters {          \
        __typeof__(name) *function = (__typeof__(name) *)find(#name);       \
        return function ? function arguments : (missing);                   \
    }
#define FORWARD_VOID(name, parameters, arguments)                           \
    __attribute__((visibility("hidden"))) void name parameters {            \
        __typeof__(name) *function = (__typeof__(name) *)find(#name);       \
        if (function) function arguments;                                   \
    }

FORWARD(int, crypt_init_data_device, (struct crypt_device **d, const char *header, const char *data), (d, header, data), -ELIBACC)
FORWARD(int, crypt_load, (struct crypt_device *d, const char *type, void *parameters), (d, type, parameters), -ELIBACC)
FORWARD_VOID(crypt_free, (struct crypt_device *d), (d))
FORWARD_VOID(crypt_set_log_callback,
             (struct crypt_device *d, void (*log)(int, const char *, void *), void *user), (d, log, user))
FORWARD(const char *, crypt_get_uuid, (struct crypt_device *d), (d), NULL)
FORWARD(int, crypt_get_volume_key_size, (struct crypt_device *d), (d), -ELIBACC)
FORWARD(int, crypt_dump_json, (struct crypt_device *d, const char **json, uint32_t flags), (d, json, flags), -ELIBACC)
FORWARD(int, crypt_activate_by_passphrase,
        (struct crypt_device *d, const char *name, int slot, const char *passphrase, size_t count, uint32_t flags),
        (d, name, slot, passphrase, count, flags), -ELIBACC)

FORWARD(int, crypt_set_pbkdf_type, (struct crypt_device *d, const struct crypt_pbkdf_type *type), (d, type), -ELIBACC)
FORWARD(int, crypt_keyslot_set_encryption, (struct crypt_device *d, const char *cipher, size_t count), (d, cipher, count),
        -ELIBACC)
FORWARD(int, crypt_keyslot_destroy, (struct crypt_device *d, int slot), (d, slot), -ELIBACC)
FORWARD(int, crypt_keyslot_add_by_keyslot_context,
        (struct crypt_device *d, int slot, struct crypt_keyslot_context *context, int added,
         struct crypt_keyslot_context *added_context, uint32_t flags),
        (d, slot, context, added, added_context, flags), -ELIBACC)
FORWARD(int, crypt_keyslot_context_init_by_token,
        (struct crypt_device *d, int token, const char *type, const char *pin, size_t count, void *user,
         struct crypt_keyslot_context **context),
        (d, token, type, pin, count, user, context), -ELIBACC)
FORWARD(int, crypt_keyslot_context_init_by_volume_key,
        (struct crypt_device *d, const char *key, size_t count, struct crypt_keyslot_context **context),
        (d, key, count, context), -ELIBACC)
FORWARD_VOID(crypt_keyslot_context_free, (struct crypt_keyslot_context *context), (context))
FORWARD(int, crypt_volume_key_get,
        (struct crypt_device *d, int slot, char *key, size_t *count, const char *passphrase, size_t passphrase_count),
        (d, slot, key, count, passphrase, passphrase_count), -ELIBACC)
FORWARD(int, crypt_volume_key_get_by_keyslot_context,
        (struct crypt_device *d, int slot, char *key, size_t *count, struct crypt_keyslot_context *context),
        (d, slot, key, count, context), -ELIBACC)

FORWARD(int, crypt_token_json_set, (struct crypt_device *d, int token, const char *json), (d, token, json), -ELIBACC)
FORWARD(int, crypt_token_register, (const crypt_token_handler *handler), (handler), -ELIBACC)
FORWARD_VOID(crypt_token_external_disable, (void), ())
