// SPDX-License-Identifier: Apache-2.0
// What owners of SEV guests sign and agree on, over libcrypto's macros and parameter lists.
#pragma once
#include "ecdsa.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

static inline EVP_PKEY *cvm_generate_p384(void) { return EVP_EC_gen("P-384"); }

// The uncompressed point of a P-384 key, 97 bytes; 0 for any other key.
static inline int cvm_p384_point(EVP_PKEY *key, unsigned char point[97]) {
    return cvm_ec_point(key, "secp384r1", point, 97);
}

// ECDSA with SHA-384: r and s, 48 bytes each, big-endian, into signature[96].
static inline int cvm_sign_p384(EVP_PKEY *key, const void *message, size_t count, unsigned char signature[96]) {
    return cvm_sign_ecdsa(key, EVP_sha384(), message, count, signature, 48);
}

// An RSA public key from modulus and exponent, big-endian.
static inline EVP_PKEY *cvm_rsa_public_key(const unsigned char *modulus, size_t size, const unsigned char *exponent,
                                           size_t count) {
    EVP_PKEY *key = NULL;
    BIGNUM *n = BN_bin2bn(modulus, (int)size, NULL), *e = BN_bin2bn(exponent, (int)count, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *parameters = NULL;
    if (n && e && builder && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = parameters ? EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL) : NULL;
    if (!context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    return key;
}

// RSASSA-PSS with MGF1 over the same digest and a salt as long as it. 1 valid, anything else not.
static inline int cvm_verify_pss(EVP_PKEY *key, const EVP_MD *digest, const unsigned char *signature, size_t size,
                                 const void *message, size_t count) {
    EVP_PKEY_CTX *parameters = NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int valid = context && EVP_DigestVerifyInit(context, &parameters, digest, NULL, key) == 1 &&
                EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1 &&
                EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1 &&
                EVP_DigestVerify(context, signature, size, message, count) == 1;
    EVP_MD_CTX_free(context);
    return valid;
}
