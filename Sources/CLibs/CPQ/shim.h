// SPDX-License-Identifier: Apache-2.0
// libpq without a link line: its header for types and constants, the functions by dlopen(). Only a broker whose store is
// PostgreSQL needs the library.
#pragma once
#include <dlfcn.h>
#include <postgresql/libpq-fe.h>
#include <stddef.h>

struct cvm_pq {
    __typeof__(PQconninfoParse) *conninfoParse;
    __typeof__(PQconninfoFree) *conninfoFree;
    __typeof__(PQconnectdbParams) *connectdbParams;
    __typeof__(PQfinish) *finish;
    __typeof__(PQstatus) *status;
    __typeof__(PQerrorMessage) *errorMessage;
    __typeof__(PQfreemem) *freemem;
    __typeof__(PQsocket) *socket;
    __typeof__(PQsetnonblocking) *setnonblocking;
    __typeof__(PQsendQuery) *sendQuery;
    __typeof__(PQsendQueryParams) *sendQueryParams;
    __typeof__(PQflush) *flush;
    __typeof__(PQconsumeInput) *consumeInput;
    __typeof__(PQisBusy) *isBusy;
    __typeof__(PQgetResult) *getResult;
    __typeof__(PQresultStatus) *resultStatus;
    __typeof__(PQresultErrorField) *resultErrorField;
    __typeof__(PQntuples) *ntuples;
    __typeof__(PQnfields) *nfields;
    __typeof__(PQfname) *fname;
    __typeof__(PQftype) *ftype;
    __typeof__(PQgetisnull) *getisnull;
    __typeof__(PQgetvalue) *getvalue;
    __typeof__(PQgetlength) *getlength;
    __typeof__(PQclear) *clear;
};

// Opens the library, for good, and finds its functions. 1, or 0 with dlerror() set.
static inline int cvm_pq_open(struct cvm_pq *pq, const char *name) {
    void *library = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    if (!library) return 0;
    const struct { const char *name; size_t offset; } functions[] = {
#define CVM_FUNCTION(member) { "PQ" #member, offsetof(struct cvm_pq, member) }
        CVM_FUNCTION(conninfoParse), CVM_FUNCTION(conninfoFree), CVM_FUNCTION(connectdbParams), CVM_FUNCTION(finish),
        CVM_FUNCTION(status), CVM_FUNCTION(errorMessage), CVM_FUNCTION(freemem), CVM_FUNCTION(socket),
        CVM_FUNCTION(setnonblocking), CVM_FUNCTION(sendQuery), CVM_FUNCTION(sendQueryParams), CVM_FUNCTION(flush),
        CVM_FUNCTION(consumeInput), CVM_FUNCTION(isBusy), CVM_FUNCTION(getResult), CVM_FUNCTION(resultStatus),
        CVM_FUNCTION(resultErrorField), CVM_FUNCTION(ntuples), CVM_FUNCTION(nfields), CVM_FUNCTION(fname),
        CVM_FUNCTION(ftype), CVM_FUNCTION(getisnull), CVM_FUNCTION(getvalue), CVM_FUNCTION(getlength), CVM_FUNCTION(clear),
#undef CVM_FUNCTION
    };
    for (size_t index = 0; index < sizeof functions / sizeof *functions; index++) {
        void *function = dlsym(library, functions[index].name);
        if (!function) return 0;
        *(void **)((char *)pq + functions[index].offset) = function;
    }
    return 1;
}

// `url` may say otherwise of all but the name and the client's encoding. `sslmode`: of a server for which `url` says none.
static inline PGconn *cvm_pq_connect(const struct cvm_pq *pq, const char *url, const char *sslmode) {
    const char *const names[] = {
        "connect_timeout", "keepalives_idle", "tcp_user_timeout", "sslmode", "dbname", "application_name", "client_encoding", 0,
    };
    const char *const values[] = { "5", "10", "10000", sslmode, url, "cvm-clevis-broker", "UTF8", 0 };
    return pq->connectdbParams(names, values, 1);
}

// PG_DIAG_* are characters, which Swift sees as numbers of no use to it.
static inline const char *cvm_pq_sqlstate(const struct cvm_pq *pq, const PGresult *result) {
    return pq->resultErrorField(result, PG_DIAG_SQLSTATE);
}
static inline const char *cvm_pq_message(const struct cvm_pq *pq, const PGresult *result) {
    return pq->resultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
}
