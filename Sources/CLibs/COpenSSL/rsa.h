// SPDX-License-Identifier: Apache-2.0
#pragma once
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
