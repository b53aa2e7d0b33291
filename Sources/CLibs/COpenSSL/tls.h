// SPDX-License-Identifier: Apache-2.0
// TLS over libssl without a link line: ssl.h for types and constants, the functions by dlopen(). An initrd carries libssl only
// where a bound pin needs it, and no command pays for it that does without.
#pragma once
#include "ecdsa.h"
#include <dlfcn.h>
#include <openssl/ssl.h>
#include <stddef.h>

struct cvm_tls {
    __typeof__(TLS_client_method) *method;
    __typeof__(SSL_CTX_new) *context_new;
    __typeof__(SSL_CTX_free) *context_free;
    __typeof__(SSL_CTX_ctrl) *context_ctrl;
    __typeof__(SSL_CTX_set_options) *context_set_options;
    __typeof__(SSL_CTX_set_cipher_list) *context_set_ciphers;
    __typeof__(SSL_CTX_set_alpn_protos) *context_set_alpn;
    __typeof__(SSL_CTX_set_verify) *context_set_verify;
    __typeof__(SSL_CTX_set_cert_verify_callback) *context_set_verifier;
    __typeof__(SSL_CTX_set_default_verify_paths) *context_set_default_paths;
    __typeof__(SSL_new) *new_session;
    __typeof__(SSL_free) *free;
    __typeof__(SSL_ctrl) *ctrl;
    __typeof__(SSL_set_ex_data) *set_data;
    __typeof__(SSL_get_ex_data) *get_data;
    __typeof__(SSL_get_ex_data_X509_STORE_CTX_idx) *store_index;
    __typeof__(SSL_get0_param) *parameters;
    __typeof__(SSL_set_bio) *set_bio;
    __typeof__(SSL_set_connect_state) *set_client;
    __typeof__(SSL_read) *read;
    __typeof__(SSL_write) *write;
    __typeof__(SSL_shutdown) *shutdown;
    __typeof__(SSL_get_error) *error;
    __typeof__(SSL_get_verify_result) *verify_result;
};

// Opens the library, for good, and finds its functions. 1, or 0 with dlerror() set.
static inline int cvm_tls_open(struct cvm_tls *tls, const char *name) {
    // Not lazily: as what is linked (scripts/release-build).
    void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!library) return 0;
    const struct { const char *name; size_t offset; } functions[] = {
#define CVM_FUNCTION(member, symbol) { symbol, offsetof(struct cvm_tls, member) }
        CVM_FUNCTION(method, "TLS_client_method"),
        CVM_FUNCTION(context_new, "SSL_CTX_new"),
        CVM_FUNCTION(context_free, "SSL_CTX_free"),
        CVM_FUNCTION(context_ctrl, "SSL_CTX_ctrl"),
        CVM_FUNCTION(context_set_options, "SSL_CTX_set_options"),
        CVM_FUNCTION(context_set_ciphers, "SSL_CTX_set_cipher_list"),
        CVM_FUNCTION(context_set_alpn, "SSL_CTX_set_alpn_protos"),
        CVM_FUNCTION(context_set_verify, "SSL_CTX_set_verify"),
        CVM_FUNCTION(context_set_verifier, "SSL_CTX_set_cert_verify_callback"),
        CVM_FUNCTION(context_set_default_paths, "SSL_CTX_set_default_verify_paths"),
        CVM_FUNCTION(new_session, "SSL_new"),
        CVM_FUNCTION(free, "SSL_free"),
        CVM_FUNCTION(ctrl, "SSL_ctrl"),
        CVM_FUNCTION(set_data, "SSL_set_ex_data"),
        CVM_FUNCTION(get_data, "SSL_get_ex_data"),
        CVM_FUNCTION(store_index, "SSL_get_ex_data_X509_STORE_CTX_idx"),
        CVM_FUNCTION(parameters, "SSL_get0_param"),
        CVM_FUNCTION(set_bio, "SSL_set_bio"),
        CVM_FUNCTION(set_client, "SSL_set_connect_state"),
        CVM_FUNCTION(read, "SSL_read"),
        CVM_FUNCTION(write, "SSL_write"),
        CVM_FUNCTION(shutdown, "SSL_shutdown"),
        CVM_FUNCTION(error, "SSL_get_error"),
        CVM_FUNCTION(verify_result, "SSL_get_verify_result"),
#undef CVM_FUNCTION
    };
    for (size_t index = 0; index < sizeof functions / sizeof *functions; index++) {
        void *function = dlsym(library, functions[index].name);
        if (!function) return 0;
        *(void **)((char *)tls + functions[index].offset) = function;
    }
    return 1;
}

// In place of chains, names and dates: 1 where the key of the server's certificate is one of the session's pins. Nothing else of the
// certificate is looked at, and the server proves in the handshake that it has the key.
static inline int cvm_tls_verify_pin(X509_STORE_CTX *store, void *argument) {
    const struct cvm_tls *tls = (const struct cvm_tls *)argument;
    SSL *session = (SSL *)X509_STORE_CTX_get_ex_data(store, tls->store_index());
    const unsigned char *pins = session ? (const unsigned char *)tls->get_data(session, 0) : NULL;
    X509 *certificate = X509_STORE_CTX_get0_cert(store);
    unsigned char *key = NULL, digest[32];
    int count = certificate ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key) : 0;
    int is_pinned = 0;
    if (pins && count > 0 && EVP_Digest(key, (size_t)count, digest, NULL, EVP_sha256(), NULL) == 1)
        for (int index = 0; index < pins[0]; index++)
            is_pinned |= CRYPTO_memcmp(digest, pins + 1 + index * sizeof digest, sizeof digest) == 0;
    OPENSSL_free(key);
    if (!is_pinned) X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return is_pinned;
}

// What all sessions share that trust in the same way: a pin each, or the system's certificate authorities. TLS 1.2 with forward
// secrecy and AEAD, or 1.3; nothing is compressed, resumed or negotiated anew. NULL with an error in the queue.
static inline SSL_CTX *cvm_tls_context(struct cvm_tls *tls, int is_pinned) {
    static const unsigned char http[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_CTX *context = tls->context_new(tls->method());
    if (!context) return NULL;
    if (tls->context_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL) != 1 ||
        tls->context_set_ciphers(context, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
        tls->context_set_alpn(context, http, sizeof http) != 0 ||
        (!is_pinned && tls->context_set_default_paths(context) != 1)) {
        tls->context_free(context);
        return NULL;
    }
    tls->context_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_CLEANSE_PLAINTEXT);
    tls->context_ctrl(context, SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS, NULL);
    tls->context_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (is_pinned) tls->context_set_verifier(context, cvm_tls_verify_pin, tls);
    return context;
}

// A client's session that reads from `incoming` and writes to `outgoing`, which it takes over. `host` is what a certificate
// must be for, unless there are pins: their number in a byte, and 32 bytes of each, which outlive the session. NULL with an error
// in the queue.
static inline SSL *cvm_tls_session(const struct cvm_tls *tls, SSL_CTX *context, const char *host, int is_address,
                                   const unsigned char *pins, BIO *incoming, BIO *outgoing) {
    SSL *session = incoming && outgoing ? tls->new_session(context) : NULL;
    if (!session) {
        BIO_free(incoming);
        BIO_free(outgoing);
        return NULL;
    }
    tls->set_bio(session, incoming, outgoing);
    tls->set_client(session);
    X509_VERIFY_PARAM *parameters = tls->parameters(session);
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    int done = is_address ? X509_VERIFY_PARAM_set1_ip_asc(parameters, host)
                          : X509_VERIFY_PARAM_set1_host(parameters, host, 0) &&
                                tls->ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, (void *)host);
    if (done != 1 || tls->set_data(session, 0, (void *)pins) != 1) {
        tls->free(session);
        return NULL;
    }
    return session;
}

// Takes the certificates of a PEM text as the only ones that may vouch for the server. 1, or 0 where there is none.
static inline int cvm_tls_trust(const struct cvm_tls *tls, SSL *session, const void *text, int count) {
    BIO *bio = BIO_new_mem_buf(text, count);
    X509_STORE *store = X509_STORE_new();
    X509 *certificate;
    int found = 0;
    while (bio && store && (certificate = PEM_read_bio_X509(bio, NULL, cvm_no_password, NULL))) {
        found += X509_STORE_add_cert(store, certificate);
        X509_free(certificate);
    }
    BIO_free(bio);
    // The session takes the store over.
    if (found && tls->ctrl(session, SSL_CTRL_SET_VERIFY_CERT_STORE, 0, store) == 1) return 1;
    X509_STORE_free(store);
    return 0;
}

static inline void cvm_tls_free(const struct cvm_tls *tls, SSL *session) { tls->free(session); }
static inline int cvm_tls_read(const struct cvm_tls *tls, SSL *session, void *bytes, int room) {
    return tls->read(session, bytes, room);
}
static inline int cvm_tls_write(const struct cvm_tls *tls, SSL *session, const void *bytes, int count) {
    return tls->write(session, bytes, count);
}
static inline int cvm_tls_shutdown(const struct cvm_tls *tls, SSL *session) { return tls->shutdown(session); }
static inline int cvm_tls_error(const struct cvm_tls *tls, const SSL *session, int result) {
    return tls->error(session, result);
}
static inline long cvm_tls_verify_result(const struct cvm_tls *tls, const SSL *session) { return tls->verify_result(session); }
