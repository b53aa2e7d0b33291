// SPDX-License-Identifier: Apache-2.0
// ES256 over libcrypto's EVP interface: OSSL_PARAM arrays and macros that Swift cannot spell.
#pragma once
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <stddef.h>
#include <string.h>

static inline EVP_PKEY *cvm_generate_ec(const char *group) { return EVP_EC_gen(group); }

static inline EVP_PKEY *cvm_generate_p256(void) { return cvm_generate_ec("P-256"); }

static inline size_t cvm_bio_data(BIO *bio, char **start) {
    long count = BIO_get_mem_data(bio, start);
    return count > 0 ? (size_t)count : 0;
}

// An unencrypted PKCS #8 or SEC 1 PEM. A callback that gives no password, so that an encrypted file fails instead of asking on the
// terminal.
static inline int cvm_no_password(char *buffer, int size, int writing, void *unused) {
    (void)buffer, (void)size, (void)writing, (void)unused;
    return -1;
}

static inline EVP_PKEY *cvm_read_private_key(const void *text, size_t count) {
    BIO *bio = count <= INT_MAX ? BIO_new_mem_buf(text, (int)count) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, cvm_no_password, NULL) : NULL;
    BIO_free(bio);
    return key;
}

// The uncompressed point of a key on the named group, `size` bytes; 0 for any other key.
static inline int cvm_ec_point(EVP_PKEY *key, const char *group, unsigned char *point, size_t size) {
    char found[32];
    size_t count = 0;
    if (EVP_PKEY_get_group_name(key, found, sizeof found, NULL) != 1 || strcmp(found, group) != 0) return 0;
    return EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point, size, &count) == 1 && count == size;
}

static inline int cvm_p256_point(EVP_PKEY *key, unsigned char point[65]) {
    return cvm_ec_point(key, "prime256v1", point, 65);
}

// r and s of `half` bytes each, at most 48, big-endian, into signature.
static inline int cvm_sign_ecdsa(EVP_PKEY *key, const EVP_MD *digest, const void *message, size_t count,
                                 unsigned char *signature, int half) {
    unsigned char der[112];
    size_t length = sizeof der;
    const unsigned char *cursor = der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int done = context && EVP_DigestSignInit(context, NULL, digest, NULL, key) == 1 &&
               EVP_DigestSign(context, der, &length, message, count) == 1;
    EVP_MD_CTX_free(context);
    ECDSA_SIG *parsed = done ? d2i_ECDSA_SIG(NULL, &cursor, (long)length) : NULL;
    done = parsed && BN_bn2binpad(ECDSA_SIG_get0_r(parsed), signature, half) == half &&
           BN_bn2binpad(ECDSA_SIG_get0_s(parsed), signature + half, half) == half;
    ECDSA_SIG_free(parsed);
    return done;
}

static inline int cvm_sign_es256(EVP_PKEY *key, const void *message, size_t count, unsigned char signature[64]) {
    return cvm_sign_ecdsa(key, EVP_sha256(), message, count, signature, 32);
}

// A public key on the named group from its uncompressed point; NULL when the point is not on the curve.
static inline EVP_PKEY *cvm_ec_public_key(const char *group, const unsigned char *point, size_t count) {
    EVP_PKEY *key = NULL;
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)point, count),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (!context || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    return key;
}

// An ECDSA signature given as r and s of `half` bytes each, big-endian. 1 valid, anything else not.
static inline int cvm_verify_ecdsa(EVP_PKEY *key, const EVP_MD *digest, const unsigned char *signature, size_t half,
                                   const void *message, size_t count) {
    unsigned char *der = NULL;
    ECDSA_SIG *parsed = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, (int)half, NULL), *s = BN_bin2bn(signature + half, (int)half, NULL);
    if (!parsed || !r || !s || ECDSA_SIG_set0(parsed, r, s) != 1) {
        BN_free(r);
        BN_free(s);
        ECDSA_SIG_free(parsed);
        return 0;
    }
    int length = i2d_ECDSA_SIG(parsed, &der);
    ECDSA_SIG_free(parsed);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int valid = length > 0 && context && EVP_DigestVerifyInit(context, NULL, digest, NULL, key) == 1 &&
                EVP_DigestVerify(context, der, (size_t)length, message, count) == 1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    return valid;
}

static inline int cvm_verify_es256(const unsigned char point[65], const unsigned char signature[64],
                                   const void *message, size_t count) {
    EVP_PKEY *key = cvm_ec_public_key("P-256", point, 65);
    int valid = key && cvm_verify_ecdsa(key, EVP_sha256(), signature, 32, message, count);
    EVP_PKEY_free(key);
    return valid;
}
