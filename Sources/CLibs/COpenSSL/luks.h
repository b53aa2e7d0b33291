// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <string.h>

// Figures of the keyslots that are made here: two AES-256 keys, as many stripes as LUKS has.
enum { CVM_LUKS_KEY = 64, CVM_LUKS_STRIPES = 4000, CVM_LUKS_SECTOR = 512 };

// Spreads each bit of a stripe over all of it (TKS1 §2.4). Plain SHA-256, which goes without libcrypto's providers, does the
// eight thousand of a keyslot in a seventh of the time.
static inline void cvm_luks_diffuse(SHA256_CTX *context, unsigned char key[CVM_LUKS_KEY]) {
    for (unsigned char block = 0; block < CVM_LUKS_KEY / SHA256_DIGEST_LENGTH; block++) {
        const unsigned char number[4] = {0, 0, 0, block};
        unsigned char *bytes = key + block * SHA256_DIGEST_LENGTH;
        SHA256_Init(context);
        SHA256_Update(context, number, sizeof number);
        SHA256_Update(context, bytes, SHA256_DIGEST_LENGTH);
        SHA256_Final(bytes, context);
    }
}

// The volume key that a keyslot's area gives for a passphrase (LUKS2 on-disk format §4): its key by PBKDF2 with SHA-256, the area
// decrypted by aes-xts-plain64 with sectors of 512 bytes from 0 on, its stripes merged. `area` has CVM_LUKS_KEY *
// CVM_LUKS_STRIPES bytes. 1 when done; whether it is the right key is the caller's to see.
static inline int cvm_luks_key(const void *passphrase, size_t count, const unsigned char *salt, size_t salted, int iterations,
                               const unsigned char *area, unsigned char key[CVM_LUKS_KEY]) {
    unsigned char derived[CVM_LUKS_KEY], sector[CVM_LUKS_SECTOR];
    SHA256_CTX hash;
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int done = cipher && count <= INT32_MAX && salted <= INT32_MAX &&
               PKCS5_PBKDF2_HMAC((const char *)passphrase, (int)count, salt, (int)salted, iterations, EVP_sha256(),
                                 sizeof derived, derived) == 1 &&
               EVP_DecryptInit_ex(cipher, EVP_aes_256_xts(), NULL, derived, NULL) == 1;
    memset(key, 0, CVM_LUKS_KEY);
    for (size_t stripe = 0; done && stripe < CVM_LUKS_STRIPES; stripe++) {
        const size_t offset = stripe * CVM_LUKS_KEY;
        if (offset % sizeof sector == 0) {
            const uint64_t number = offset / sizeof sector;
            unsigned char tweak[16] = {0};
            int length = 0;
            for (int byte = 0; byte < 8; byte++) tweak[byte] = (unsigned char)(number >> 8 * byte);
            done = EVP_DecryptInit_ex(cipher, NULL, NULL, NULL, tweak) == 1 &&
                   EVP_DecryptUpdate(cipher, sector, &length, area + offset, sizeof sector) == 1;
        }
        for (size_t byte = 0; byte < CVM_LUKS_KEY; byte++) key[byte] ^= sector[offset % sizeof sector + byte];
        if (stripe + 1 < CVM_LUKS_STRIPES) cvm_luks_diffuse(&hash, key);
    }
    OPENSSL_cleanse(derived, sizeof derived);
    OPENSSL_cleanse(sector, sizeof sector);
    OPENSSL_cleanse(&hash, sizeof hash);
    EVP_CIPHER_CTX_free(cipher);
    return done;
}
