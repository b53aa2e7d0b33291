// SPDX-License-Identifier: Apache-2.0
// The TPM 2.0 software stack without a link line: its headers for types and constants, the functions by dlopen(). An initrd
// carries it only where a bound pin needs it. The inline functions fill in arguments that never differ here.
#pragma once
#include <dlfcn.h>
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <tss2/tss2_esys.h>
#include <tss2/tss2_mu.h>
#include <tss2/tss2_rc.h>
#include <tss2/tss2_tcti.h>

struct cvm_tss2 {
    __typeof__(Esys_Initialize) *initialize;
    __typeof__(Esys_Finalize) *finalize;
    __typeof__(Esys_Free) *free;
    __typeof__(Esys_GetSysContext) *get_sys_context;
    __typeof__(Esys_GetCapability) *get_capability;
    __typeof__(Esys_TR_FromTPMPublic) *from_public;
    __typeof__(Esys_TR_GetName) *get_name;
    __typeof__(Esys_TR_SetAuth) *set_auth;
    __typeof__(Esys_ReadPublic) *read_public;
    __typeof__(Esys_HierarchyChangeAuth) *change_auth;
    __typeof__(Esys_CreatePrimary) *create_primary;
    __typeof__(Esys_Create) *create;
    __typeof__(Esys_Load) *load;
    __typeof__(Esys_LoadExternal) *load_external;
    __typeof__(Esys_VerifySignature) *verify_signature;
    __typeof__(Esys_Unseal) *unseal;
    __typeof__(Esys_StartAuthSession) *start_session;
    __typeof__(Esys_TRSess_SetAttributes) *set_attributes;
    __typeof__(Esys_PolicyPCR) *policy_pcr;
    __typeof__(Esys_PolicyAuthorize) *policy_authorize;
    __typeof__(Esys_PolicyAuthValue) *policy_auth_value;
    __typeof__(Esys_PolicyGetDigest) *policy_digest;
    __typeof__(Esys_PCR_Extend) *pcr_extend;
    __typeof__(Esys_FlushContext) *flush;
    __typeof__(Tss2_MU_TPM2B_PUBLIC_Marshal) *marshal_public;
    __typeof__(Tss2_MU_TPM2B_PUBLIC_Unmarshal) *unmarshal_public;
    __typeof__(Tss2_MU_TPM2B_PRIVATE_Marshal) *marshal_private;
    __typeof__(Tss2_MU_TPM2B_PRIVATE_Unmarshal) *unmarshal_private;
    __typeof__(Tss2_MU_TPMT_SIGNATURE_Unmarshal) *unmarshal_signature;
};

// Opens the libraries, for good, and finds their functions. 1, or 0 with dlerror() set.
static inline int cvm_tss2_open(struct cvm_tss2 *tss) {
    // The stack logs to standard error, and with TSS2_LOG=trace everything that passes, unsealed keys included. (The first
    // setenv of a process leaves the old table in place for who is reading it on another thread.)
    setenv("TSS2_LOG", "all+NONE", 1);
    const struct { const char *library, *name; size_t offset; } functions[] = {
#define CVM_FUNCTION(library, member, symbol) { "libtss2-" library ".so.0", symbol, offsetof(struct cvm_tss2, member) }
        CVM_FUNCTION("esys", initialize, "Esys_Initialize"),
        CVM_FUNCTION("esys", finalize, "Esys_Finalize"),
        CVM_FUNCTION("esys", free, "Esys_Free"),
        CVM_FUNCTION("esys", get_sys_context, "Esys_GetSysContext"),
        CVM_FUNCTION("esys", get_capability, "Esys_GetCapability"),
        CVM_FUNCTION("esys", from_public, "Esys_TR_FromTPMPublic"),
        CVM_FUNCTION("esys", get_name, "Esys_TR_GetName"),
        CVM_FUNCTION("esys", set_auth, "Esys_TR_SetAuth"),
        CVM_FUNCTION("esys", read_public, "Esys_ReadPublic"),
        CVM_FUNCTION("esys", change_auth, "Esys_HierarchyChangeAuth"),
        CVM_FUNCTION("esys", create_primary, "Esys_CreatePrimary"),
        CVM_FUNCTION("esys", create, "Esys_Create"),
        CVM_FUNCTION("esys", load, "Esys_Load"),
        CVM_FUNCTION("esys", load_external, "Esys_LoadExternal"),
        CVM_FUNCTION("esys", verify_signature, "Esys_VerifySignature"),
        CVM_FUNCTION("esys", unseal, "Esys_Unseal"),
        CVM_FUNCTION("esys", start_session, "Esys_StartAuthSession"),
        CVM_FUNCTION("esys", set_attributes, "Esys_TRSess_SetAttributes"),
        CVM_FUNCTION("esys", policy_pcr, "Esys_PolicyPCR"),
        CVM_FUNCTION("esys", policy_authorize, "Esys_PolicyAuthorize"),
        CVM_FUNCTION("esys", policy_auth_value, "Esys_PolicyAuthValue"),
        CVM_FUNCTION("esys", policy_digest, "Esys_PolicyGetDigest"),
        CVM_FUNCTION("esys", pcr_extend, "Esys_PCR_Extend"),
        CVM_FUNCTION("esys", flush, "Esys_FlushContext"),
        CVM_FUNCTION("mu", marshal_public, "Tss2_MU_TPM2B_PUBLIC_Marshal"),
        CVM_FUNCTION("mu", unmarshal_public, "Tss2_MU_TPM2B_PUBLIC_Unmarshal"),
        CVM_FUNCTION("mu", marshal_private, "Tss2_MU_TPM2B_PRIVATE_Marshal"),
        CVM_FUNCTION("mu", unmarshal_private, "Tss2_MU_TPM2B_PRIVATE_Unmarshal"),
        CVM_FUNCTION("mu", unmarshal_signature, "Tss2_MU_TPMT_SIGNATURE_Unmarshal"),
#undef CVM_FUNCTION
    };
    for (size_t index = 0; index < sizeof functions / sizeof *functions; index++) {
        void *library = dlopen(functions[index].library, RTLD_LAZY | RTLD_LOCAL);
        void *function = library ? dlsym(library, functions[index].name) : NULL;
        if (!function) return 0;
        *(void **)((char *)tss + functions[index].offset) = function;
    }
    return 1;
}

// A way to a TPM, from the library that is named (TSS 2.0 TCTI, 3.4 and 3.5): NULL with `code`, or with 0 and dlerror() set where
// there is no such library. `conf` is what the library takes, or NULL for what it does by itself.
static inline TSS2_TCTI_CONTEXT *cvm_tss2_tcti_open(const char *library, const char *conf, TSS2_RC *code) {
    void *handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
    TSS2_TCTI_INFO_FUNC info = handle ? (TSS2_TCTI_INFO_FUNC)dlsym(handle, TSS2_TCTI_INFO_SYMBOL) : NULL;
    size_t size = 0;
    *code = 0;
    if (!info || (*code = info()->init(NULL, &size, NULL)) != TSS2_RC_SUCCESS) return NULL;
    TSS2_TCTI_CONTEXT *tcti = (TSS2_TCTI_CONTEXT *)calloc(1, size);
    *code = tcti ? info()->init(tcti, &size, conf) : TSS2_TCTI_RC_MEMORY;
    if (*code == TSS2_RC_SUCCESS) return tcti;
    free(tcti);
    return NULL;
}
static inline void cvm_tss2_tcti_close(TSS2_TCTI_CONTEXT *tcti) {
    Tss2_Tcti_Finalize(tcti);
    free(tcti);
}
static inline TSS2_RC cvm_tss2_initialize(const struct cvm_tss2 *tss, TSS2_TCTI_CONTEXT *tcti, ESYS_CONTEXT **esys) {
    return tss->initialize(esys, tcti, NULL);
}
static inline void cvm_tss2_finalize(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys) { tss->finalize(&esys); }
static inline void cvm_tss2_flush(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, ESYS_TR handle) {
    tss->flush(esys, handle);
}
// A return code in words; NULL without the library for it, which is opened only here: most runs have nothing to explain.
static inline const char *cvm_tss2_decode(TSS2_RC code) {
    void *library = dlopen("libtss2-rc.so.0", RTLD_LAZY | RTLD_LOCAL);
    __typeof__(Tss2_RC_Decode) *decode = library ? (__typeof__(decode))dlsym(library, "Tss2_RC_Decode") : NULL;
    return decode ? decode(code) : NULL;
}

// Structures from bytes and back, size prefix included. Reading: 1 when exactly `count` bytes make one.
static inline int cvm_tss2_read_public(const struct cvm_tss2 *tss, const uint8_t *bytes, size_t count,
                                       TPM2B_PUBLIC *object) {
    size_t offset = 0;
    return tss->unmarshal_public(bytes, count, &offset, object) == TSS2_RC_SUCCESS && offset == count;
}
static inline int cvm_tss2_read_private(const struct cvm_tss2 *tss, const uint8_t *bytes, size_t count,
                                        TPM2B_PRIVATE *object) {
    size_t offset = 0;
    return tss->unmarshal_private(bytes, count, &offset, object) == TSS2_RC_SUCCESS && offset == count;
}

// An object under the owner hierarchy with an empty password.
static inline TSS2_RC cvm_tss2_create_primary(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, const TPM2B_PUBLIC *form,
                                              ESYS_TR *primary) {
    const TPM2B_SENSITIVE_CREATE sensitive = {0};
    const TPM2B_DATA outside = {0};
    const TPML_PCR_SELECTION pcrs = {0};
    return tss->create_primary(esys, ESYS_TR_RH_OWNER, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, form,
                               &outside, &pcrs, primary, NULL, NULL, NULL, NULL);
}

// An object that stays in the TPM. Not to be flushed.
static inline TSS2_RC cvm_tss2_persistent(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, TPM2_HANDLE number,
                                          ESYS_TR *object) {
    return tss->from_public(esys, number, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, object);
}

// The public half of an object in the TPM, marshalled, at most `room` bytes.
static inline TSS2_RC cvm_tss2_public(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, ESYS_TR object, uint8_t *bytes,
                                      size_t *count, size_t room) {
    TPM2B_PUBLIC *area = NULL;
    TSS2_RC code = tss->read_public(esys, object, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &area, NULL, NULL);
    *count = 0;
    if (code == TSS2_RC_SUCCESS) code = tss->marshal_public(area, bytes, room, count);
    tss->free(area);
    return code;
}

// The name of the very key that sessions are salted with: the stack has checked that it is the hash of what it encrypts to.
static inline TSS2_RC cvm_tss2_name(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, ESYS_TR object, uint8_t bytes[68],
                                    size_t *count) {
    TPM2B_NAME *name = NULL;
    TSS2_RC code = tss->get_name(esys, object, &name);
    *count = code == TSS2_RC_SUCCESS ? name->size : 0;
    if (*count > 68) code = TSS2_ESYS_RC_BAD_VALUE;
    if (code == TSS2_RC_SUCCESS) memcpy(bytes, name->name, *count);
    tss->free(name);
    return code;
}

// Seals `count` bytes, at most 128, with an auth value, at most 32. Both halves of the object are written marshalled, at
// most `room` bytes each.
static inline TSS2_RC cvm_tss2_create(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, ESYS_TR parent, ESYS_TR session,
                                      const TPM2B_PUBLIC *form, const void *secret, size_t count, const void *auth,
                                      size_t auth_count, uint8_t *public_half, size_t *public_count, uint8_t *private_half,
                                      size_t *private_count, size_t room) {
    TPM2B_SENSITIVE_CREATE sensitive = {0};
    const TPM2B_DATA outside = {0};
    const TPML_PCR_SELECTION pcrs = {0};
    TPM2B_PRIVATE *sealed = NULL;
    TPM2B_PUBLIC *object = NULL;
    if (count > 128 || auth_count > 32) return TSS2_ESYS_RC_BAD_VALUE;
    memcpy(sensitive.sensitive.data.buffer, secret, count);
    sensitive.sensitive.data.size = (UINT16)count;
    if (auth_count > 0) memcpy(sensitive.sensitive.userAuth.buffer, auth, auth_count);
    sensitive.sensitive.userAuth.size = (UINT16)auth_count;
    TSS2_RC code = tss->create(esys, parent, session, ESYS_TR_NONE, ESYS_TR_NONE, &sensitive, form, &outside, &pcrs, &sealed,
                               &object, NULL, NULL, NULL);
    explicit_bzero(&sensitive, sizeof sensitive);
    *public_count = *private_count = 0;
    if (code == TSS2_RC_SUCCESS) code = tss->marshal_public(object, public_half, room, public_count);
    if (code == TSS2_RC_SUCCESS) code = tss->marshal_private(sealed, private_half, room, private_count);
    tss->free(sealed);
    tss->free(object);
    return code;
}

static inline TSS2_RC cvm_tss2_load(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, ESYS_TR parent,
                                    const TPM2B_PRIVATE *sealed, const TPM2B_PUBLIC *object, ESYS_TR *handle) {
    return tss->load(esys, parent, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, sealed, object, handle);
}

// A public key that did not come from this TPM; in a hierarchy, so that what it signed can be proved with a ticket.
static inline TSS2_RC cvm_tss2_load_external(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, const TPM2B_PUBLIC *key,
                                             ESYS_TR *handle) {
    return tss->load_external(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL, key, ESYS_TR_RH_OWNER, handle);
}

// The auth value that later commands on `object` prove to know; `count` at most 32, 0 overwrites the last one.
static inline TSS2_RC cvm_tss2_set_auth(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, ESYS_TR object, const void *auth,
                                        size_t count) {
    TPM2B_AUTH value = {0};
    if (count > 32) return TSS2_ESYS_RC_BAD_VALUE;
    if (count > 0) memcpy(value.buffer, auth, count);
    value.size = (UINT16)count;
    TSS2_RC code = tss->set_auth(esys, object, &value);
    explicit_bzero(&value, sizeof value);
    return code;
}

static inline TSS2_RC cvm_tss2_unseal(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, ESYS_TR object, ESYS_TR session,
                                      TPM2B_SENSITIVE_DATA **data) {
    return tss->unseal(esys, object, session, ESYS_TR_NONE, ESYS_TR_NONE, data);
}
static inline void cvm_tss2_free_data(const struct cvm_tss2 *tss, TPM2B_SENSITIVE_DATA *data) {
    explicit_bzero(data, sizeof *data);
    tss->free(data);
}

// A session whose key is encrypted to `salt_key`; parameters are encrypted with AES-128-CFB where its attributes say so.
static inline TSS2_RC cvm_tss2_start_session(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, ESYS_TR salt_key, TPM2_SE type,
                                             TPMI_ALG_HASH hash, ESYS_TR *session) {
    const TPMT_SYM_DEF aes = {.algorithm = TPM2_ALG_AES, .keyBits = {.aes = 128}, .mode = {.aes = TPM2_ALG_CFB}};
    return tss->start_session(esys, salt_key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, NULL, type, &aes, hash,
                              session);
}
static inline TSS2_RC cvm_tss2_set_attributes(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, ESYS_TR session,
                                              uint8_t attributes) {
    return tss->set_attributes(esys, session, attributes, 0xff);
}

static inline TPML_PCR_SELECTION cvm_tss2_selection(TPMI_ALG_HASH bank, uint32_t pcrs) {
    TPML_PCR_SELECTION selection = {.count = 1, .pcrSelections = {{.hash = bank, .sizeofSelect = 3}}};
    for (int index = 0; index < 3; index++) selection.pcrSelections[0].pcrSelect[index] = (BYTE)(pcrs >> 8 * index);
    return selection;
}

// Without a digest (`count` 0) the policy is about the values that the PCRs have now.
static inline TSS2_RC cvm_tss2_policy_pcr(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, ESYS_TR session,
                                          TPMI_ALG_HASH bank, uint32_t pcrs, const uint8_t *digest, size_t count) {
    const TPML_PCR_SELECTION selection = cvm_tss2_selection(bank, pcrs);
    TPM2B_DIGEST values = {0};
    if (count > sizeof values.buffer) return TSS2_ESYS_RC_BAD_VALUE;
    if (count > 0) memcpy(values.buffer, digest, count);
    values.size = (UINT16)count;
    return tss->policy_pcr(esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &values, &selection);
}
// Replaces the policy of `session` by: any policy that `key` approves. `approved` must be what the session has, and
// `signature` (a TPMT_SIGNATURE) one by the key over `hash`, the SHA-256 of it. Without one (`signature_count` 0), which
// only a trial session takes, nothing is checked.
static inline TSS2_RC cvm_tss2_policy_authorize(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, ESYS_TR session, ESYS_TR key,
                                                const uint8_t *approved, size_t approved_count, const uint8_t hash[32],
                                                const uint8_t *signature, size_t signature_count) {
    const TPMT_TK_VERIFIED untested = {.tag = TPM2_ST_VERIFIED, .hierarchy = TPM2_RH_OWNER};
    const TPM2B_NONCE reference = {0};
    TPM2B_DIGEST policy = {0}, digest = {.size = 32};
    TPMT_SIGNATURE parsed = {0};
    TPMT_TK_VERIFIED *ticket = NULL;
    TPM2B_NAME *name = NULL;
    size_t offset = 0;
    if (approved_count > sizeof policy.buffer) return TSS2_ESYS_RC_BAD_VALUE;
    memcpy(policy.buffer, approved, approved_count);
    policy.size = (UINT16)approved_count;
    memcpy(digest.buffer, hash, 32);
    TSS2_RC code = tss->get_name(esys, key, &name);
    if (code == TSS2_RC_SUCCESS && signature_count > 0) {
        code = tss->unmarshal_signature(signature, signature_count, &offset, &parsed);
        if (code == TSS2_RC_SUCCESS)
            code = tss->verify_signature(esys, key, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &digest, &parsed, &ticket);
    }
    if (code == TSS2_RC_SUCCESS)
        code = tss->policy_authorize(esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &policy, &reference, name,
                                     ticket ? ticket : &untested);
    tss->free(ticket);
    tss->free(name);
    return code;
}
// The object's auth value must be proved, in the HMAC of the command that uses the policy.
static inline TSS2_RC cvm_tss2_policy_auth_value(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, ESYS_TR session) {
    return tss->policy_auth_value(esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE);
}
static inline TSS2_RC cvm_tss2_policy_digest(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, ESYS_TR session,
                                             uint8_t digest[64], size_t *count) {
    TPM2B_DIGEST *value = NULL;
    TSS2_RC code = tss->policy_digest(esys, session, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &value);
    *count = code == TSS2_RC_SUCCESS ? value->size : 0;
    if (*count > 64) return TSS2_ESYS_RC_BAD_VALUE;
    if (*count > 0) memcpy(digest, value->buffer, *count);
    tss->free(value);
    return code;
}

// Which PCRs of a bank this TPM has, as a bit map; 0 for a bank that is not in use.
static inline TSS2_RC cvm_tss2_bank(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, TPMI_ALG_HASH bank, uint32_t *pcrs) {
    TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more = 0;
    TSS2_RC code = tss->get_capability(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_PCRS, 0, 1, &more, &data);
    *pcrs = 0;
    if (code != TSS2_RC_SUCCESS) return code;
    const TPML_PCR_SELECTION *banks = &data->data.assignedPCR;
    for (UINT32 index = 0; index < banks->count && index < TPM2_NUM_PCR_BANKS; index++) {
        const TPMS_PCR_SELECTION *selection = &banks->pcrSelections[index];
        for (int byte = 0; selection->hash == bank && byte < 3 && byte < selection->sizeofSelect; byte++)
            *pcrs |= (uint32_t)selection->pcrSelect[byte] << 8 * byte;
    }
    tss->free(data);
    return code;
}

// One more digest for cvm_tss2_extend. 1, or 0 where there is no room.
static inline int cvm_tss2_add_digest(TPML_DIGEST_VALUES *digests, TPMI_ALG_HASH bank, const uint8_t *digest, size_t count) {
    if (digests->count >= TPM2_NUM_PCR_BANKS || count > sizeof digests->digests[0].digest) return 0;
    TPMT_HA *next = &digests->digests[digests->count++];
    next->hashAlg = bank;
    memcpy(&next->digest, digest, count);
    return 1;
}
// In all banks of `digests`, by one command; `pcr` is its number.
static inline TSS2_RC cvm_tss2_extend(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, uint32_t pcr,
                                      const TPML_DIGEST_VALUES *digests) {
    return tss->pcr_extend(esys, ESYS_TR_PCR0 + pcr, ESYS_TR_PASSWORD, ESYS_TR_NONE, ESYS_TR_NONE, digests);
}

// What the TPM counts about wrong authorisations (TPM 2.0 part 2, table 23: TPM_PT).
struct cvm_tss2_lockout {
    uint32_t permanent, failures, limit, interval;
};
static inline TSS2_RC cvm_tss2_lockout(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, struct cvm_tss2_lockout *state) {
    TPMS_CAPABILITY_DATA *data = NULL;
    TPMI_YES_NO more = 0;
    TSS2_RC code = tss->get_capability(esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_TPM_PROPERTIES,
                                       TPM2_PT_PERMANENT, TPM2_MAX_TPM_PROPERTIES, &more, &data);
    memset(state, 0, sizeof *state);
    if (code != TSS2_RC_SUCCESS) return code;
    const TPML_TAGGED_TPM_PROPERTY *list = &data->data.tpmProperties;
    for (UINT32 index = 0; index < list->count && index < TPM2_MAX_TPM_PROPERTIES; index++) {
        const TPMS_TAGGED_PROPERTY *entry = &list->tpmProperty[index];
        if (entry->property == TPM2_PT_PERMANENT) state->permanent = entry->value;
        if (entry->property == TPM2_PT_LOCKOUT_COUNTER) state->failures = entry->value;
        if (entry->property == TPM2_PT_MAX_AUTH_FAIL) state->limit = entry->value;
        if (entry->property == TPM2_PT_LOCKOUT_INTERVAL) state->interval = entry->value;
    }
    tss->free(data);
    return code;
}

static inline void cvm_tss2_wipe_copies(void *block, const void *secret, size_t count) {
    char *start = (char *)block;
    size_t size = malloc_usable_size(block);
    for (size_t offset = 0; count > 0 && offset + count <= size; offset++)
        if (start[offset] == *(const char *)secret && memcmp(start + offset, secret, count) == 0)
            explicit_bzero(start + offset, count);
}

// The stack keeps what it sent and received in its contexts, and works on copies on the thread's stack; it wipes neither.
// To be called right after the command, by a function that the secret reached no deeper than.
__attribute__((noinline)) static void cvm_tss2_forget(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, const void *secret,
                                                      size_t count) {
    TSS2_SYS_CONTEXT *sys = NULL;
    char below[64 << 10];
    cvm_tss2_wipe_copies(esys, secret, count);
    if (tss->get_sys_context(esys, &sys) == TSS2_RC_SUCCESS) cvm_tss2_wipe_copies(sys, secret, count);
    explicit_bzero(below, sizeof below);
}

// The stack keeps an object's auth value beside it, and behind the key of each session that proved it, and wipes neither. So
// both are overwritten: the first by another value; the second by a command that proves one for a hierarchy that takes none,
// which the TPM refuses before it looks at anything.
static inline void cvm_tss2_drop_auth(const struct cvm_tss2 *tss, ESYS_CONTEXT *esys, ESYS_TR object, ESYS_TR session) {
    const TPM2B_AUTH nothing = {.size = 32};
    const TPM2B_AUTH empty = {0};
    tss->set_auth(esys, object, &empty);
    tss->set_auth(esys, ESYS_TR_RH_NULL, &nothing);
    tss->change_auth(esys, ESYS_TR_RH_NULL, session, ESYS_TR_NONE, ESYS_TR_NONE, &empty);
    tss->set_auth(esys, ESYS_TR_RH_NULL, &empty);
}
