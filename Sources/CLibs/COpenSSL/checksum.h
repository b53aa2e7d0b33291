// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <openssl/sha.h>
#include <stddef.h>

// SHA-256 where it only finds damage: by the functions that go without libcrypto's providers. To start those takes longer than
// to read a volume's header.
static inline void cvm_sha256_checksum(const void *bytes, size_t count, unsigned char digest[SHA256_DIGEST_LENGTH]) {
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, bytes, count);
    SHA256_Final(digest, &context);
}
