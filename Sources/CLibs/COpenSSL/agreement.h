// SPDX-License-Identifier: Apache-2.0
// ECDH and AES key wrap, over libcrypto's parameter lists and macros.
#pragma once
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stddef.h>
#include <string.h>

// The x-coordinate of what the two agree on, `size` bytes: the length of a coordinate. 1 when done.
// Whether the peer's point is on the curve was seen when it was read (cvm_ec_public_key), and NIST's curves have no other points.
static inline int cvm_ecdh(EVP_PKEY *key, EVP_PKEY *peer, unsigned char *secret, size_t size) {
    size_t count = size;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    int done = context && EVP_PKEY_derive_init(context) == 1 && EVP_PKEY_derive_set_peer_ex(context, peer, 0) == 1 &&
               EVP_PKEY_derive(context, secret, &count) == 1 && count == size;
    EVP_PKEY_CTX_free(context);
    return done;
}

// A private key on P-256 from its number, 32 bytes big-endian, and its uncompressed point; NULL where they do not belong together.
static inline EVP_PKEY *cvm_p256_private_key(const unsigned char number[32], const unsigned char point[65]) {
    EVP_PKEY *key = NULL;
    BIGNUM *secret = BN_secure_new();
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *parameters = NULL;
    if (secret && BN_bin2bn(number, 32, secret) && builder &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, 65) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_PRIV_KEY, secret) == 1)
        parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = parameters ? EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL) : NULL;
    if (!context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_KEYPAIR, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_CTX *check = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    if (key && (!check || EVP_PKEY_check(check) != 1)) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_CTX_free(check);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    BN_clear_free(secret);
    return key;
}

// The number of a private key on P-256, 32 bytes big-endian. 1 when done.
static inline int cvm_p256_number(EVP_PKEY *key, unsigned char number[32]) {
    BIGNUM *secret = NULL;
    int done = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &secret) == 1 && BN_bn2binpad(secret, number, 32) == 32;
    BN_clear_free(secret);
    return done;
}

// AES-256 key wrap (RFC 3394): 40 bytes from 32, or 32 from 40. 0 where those are not what was wrapped with `key`.
static inline int cvm_key_wrap(const unsigned char key[32], int wraps, const unsigned char *input, unsigned char *output) {
    int count = 0, rest = 0, size = wraps ? 40 : 32;
    unsigned char wide[48];
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    if (context) EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    int done = context && EVP_CipherInit_ex(context, EVP_aes_256_wrap(), NULL, key, NULL, wraps) == 1 &&
               EVP_CipherUpdate(context, wide, &count, input, wraps ? 32 : 40) == 1 && count == size &&
               EVP_CipherFinal_ex(context, wide + count, &rest) == 1 && rest == 0;
    EVP_CIPHER_CTX_free(context);
    if (done) memcpy(output, wide, (size_t)size);
    OPENSSL_cleanse(wide, sizeof wide);
    return done;
}
