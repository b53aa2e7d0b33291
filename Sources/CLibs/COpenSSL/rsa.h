// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

// RSAES-OAEP with SHA-256 in both places, or RSAES-PKCS1-v1_5 (RFC 8017 §7). `output` has room for `*written` bytes. 1 when done.
static inline int cvm_rsa_encrypt(EVP_PKEY *key, int oaep, const void *input, size_t count, unsigned char *output,
                                  size_t *written) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    int done = context && EVP_PKEY_encrypt_init(context) == 1 &&
               EVP_PKEY_CTX_set_rsa_padding(context, oaep ? RSA_PKCS1_OAEP_PADDING : RSA_PKCS1_PADDING) == 1 &&
               (!oaep || (EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1 &&
                          EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1)) &&
               EVP_PKEY_encrypt(context, output, written, input, count) == 1;
    EVP_PKEY_CTX_free(context);
    return done;
}

// A new key of 2048 bits.
static inline EVP_PKEY *cvm_generate_rsa(void) { return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048); }

// Modulus (`OSSL_PKEY_PARAM_RSA_N`) or exponent, big-endian without zeros in front, at most 512 bytes. How many, or 0.
static inline size_t cvm_rsa_number(const EVP_PKEY *key, const char *name, unsigned char bytes[512]) {
    BIGNUM *number = NULL;
    size_t count = 0;
    if (EVP_PKEY_get_bn_param(key, name, &number) == 1 && BN_num_bytes(number) <= 512)
        count = (size_t)BN_bn2bin(number, bytes);
    BN_free(number);
    return count;
}

// RSAES-PKCS1-v1_5. `output` has room for `*written` bytes, which are as many as the modulus has. 1 when done.
static inline int cvm_rsa_decrypt(EVP_PKEY *key, const void *input, size_t count, unsigned char *output, size_t *written) {
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    int done = context && EVP_PKEY_decrypt_init(context) == 1 &&
               EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
               EVP_PKEY_decrypt(context, output, written, input, count) == 1;
    EVP_PKEY_CTX_free(context);
    return done;
}
