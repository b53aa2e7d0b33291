// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <libcryptsetup.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

// A passphrase that our token handler gives to libcryptsetup: the user pointer of a by-token context.
struct cvm_passphrase {
    const void *bytes;
    size_t count;
};

static inline int cvm_token_open(struct crypt_device *device, int token, char **buffer, size_t *count, void *user) {
    (void)device;
    (void)token;
    const struct cvm_passphrase *passphrase = (const struct cvm_passphrase *)user;
    if (!passphrase) return -ENOENT;
    char *copy = (char *)malloc(passphrase->count ? passphrase->count : 1);
    if (!copy) return -ENOMEM;
    memcpy(copy, passphrase->bytes, passphrase->count);
    *buffer = copy;
    *count = passphrase->count;
    return 0;
}

static inline void cvm_token_free(void *buffer, size_t count) {
    explicit_bzero(buffer, count);
    free(buffer);
}

// Registers, for this process, the handlers through which a keyslot and its assignment to a token reach the disk in one
// write (docs/spec/luks-token.md). With a user pointer they return that passphrase; without, it is not ours to open.
static inline int cvm_register_token_handlers(void) {
    static const crypt_token_handler clevis = {
        .name = "clevis", .open = cvm_token_open, .buffer_free = cvm_token_free,
    };
    static const crypt_token_handler pending = {
        .name = "cvm-clevis-pending", .open = cvm_token_open, .buffer_free = cvm_token_free,
    };
    int status = crypt_token_register(&clevis);
    return status ? status : crypt_token_register(&pending);
}

// An empty file that exists only in memory, close-on-exec.
static inline int cvm_memory_file(const char *name) { return (int)syscall(SYS_memfd_create, name, 1u /* MFD_CLOEXEC */); }

// The kernel's open-file-description lock over the whole file, without waiting: 0, or -1 with errno. It goes with the
// descriptor, however the process ends, and does not meet the flock() that libcryptsetup takes on the same file.
static inline int cvm_lock_file(int descriptor) {
    struct flock lock;
    memset(&lock, 0, sizeof lock);
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return fcntl(descriptor, 37 /* F_OFD_SETLK */, &lock);
}

// A macro with a cast, which Swift does not see.
static const uint32_t cvm_no_benchmark = CRYPT_PBKDF_NO_BENCHMARK;
