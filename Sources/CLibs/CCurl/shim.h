// SPDX-License-Identifier: Apache-2.0
// libcurl without a link line: curl.h for types and constants, the functions by dlopen(). An initrd carries libcurl only
// where a bound pin needs it. Swift calls no variadic function, hence one inline function for each type of option.
#pragma once
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>
#include <dlfcn.h>
#include <stddef.h>

struct cvm_curl {
    __typeof__(curl_global_init) *global_init;
    __typeof__(curl_easy_init) *easy_init;
    __typeof__(curl_easy_cleanup) *easy_cleanup;
    __typeof__(curl_easy_perform) *easy_perform;
    __typeof__(curl_easy_strerror) *easy_strerror;
    __typeof__(curl_easy_setopt) *easy_setopt;
    __typeof__(curl_easy_getinfo) *easy_getinfo;
    __typeof__(curl_slist_append) *slist_append;
    __typeof__(curl_slist_free_all) *slist_free_all;
    __typeof__(curl_url) *url;
    __typeof__(curl_url_set) *url_set;
    __typeof__(curl_url_get) *url_get;
    __typeof__(curl_url_cleanup) *url_cleanup;
    __typeof__(curl_free) *free;
};

// Opens the library, for good, and finds its functions. 1, or 0 with dlerror() set.
static inline int cvm_curl_open(struct cvm_curl *curl, const char *name) {
    // Lazy: of the thousands of symbols of libcurl and its libraries a request needs few.
    void *library = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    if (!library) return 0;
    const struct { const char *name; size_t offset; } functions[] = {
#define CVM_FUNCTION(member, symbol) { symbol, offsetof(struct cvm_curl, member) }
        CVM_FUNCTION(global_init, "curl_global_init"),
        CVM_FUNCTION(easy_init, "curl_easy_init"),
        CVM_FUNCTION(easy_cleanup, "curl_easy_cleanup"),
        CVM_FUNCTION(easy_perform, "curl_easy_perform"),
        CVM_FUNCTION(easy_strerror, "curl_easy_strerror"),
        CVM_FUNCTION(easy_setopt, "curl_easy_setopt"),
        CVM_FUNCTION(easy_getinfo, "curl_easy_getinfo"),
        CVM_FUNCTION(slist_append, "curl_slist_append"),
        CVM_FUNCTION(slist_free_all, "curl_slist_free_all"),
        CVM_FUNCTION(url, "curl_url"),
        CVM_FUNCTION(url_set, "curl_url_set"),
        CVM_FUNCTION(url_get, "curl_url_get"),
        CVM_FUNCTION(url_cleanup, "curl_url_cleanup"),
        CVM_FUNCTION(free, "curl_free"),
#undef CVM_FUNCTION
    };
    for (size_t index = 0; index < sizeof functions / sizeof *functions; index++) {
        void *function = dlsym(library, functions[index].name);
        if (!function) return 0;
        *(void **)((char *)curl + functions[index].offset) = function;
    }
    return 1;
}

static inline CURLcode cvm_curl_global_init(const struct cvm_curl *curl) { return curl->global_init(CURL_GLOBAL_DEFAULT); }
static inline CURL *cvm_curl_easy_init(const struct cvm_curl *curl) { return curl->easy_init(); }
static inline void cvm_curl_easy_cleanup(const struct cvm_curl *curl, CURL *easy) { curl->easy_cleanup(easy); }
static inline CURLcode cvm_curl_easy_perform(const struct cvm_curl *curl, CURL *easy) { return curl->easy_perform(easy); }
static inline const char *cvm_curl_easy_strerror(const struct cvm_curl *curl, CURLcode code) {
    return curl->easy_strerror(code);
}

static inline CURLcode cvm_curl_set_long(const struct cvm_curl *curl, CURL *easy, CURLoption option, long value) {
    return curl->easy_setopt(easy, option, value);
}
static inline CURLcode cvm_curl_set_size(const struct cvm_curl *curl, CURL *easy, CURLoption option, curl_off_t value) {
    return curl->easy_setopt(easy, option, value);
}
static inline CURLcode cvm_curl_set_text(const struct cvm_curl *curl, CURL *easy, CURLoption option, const char *value) {
    return curl->easy_setopt(easy, option, value);
}
static inline CURLcode cvm_curl_set_pointer(const struct cvm_curl *curl, CURL *easy, CURLoption option, void *value) {
    return curl->easy_setopt(easy, option, value);
}
static inline CURLcode cvm_curl_set_writer(const struct cvm_curl *curl, CURL *easy, curl_write_callback writer) {
    return curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, writer);
}
static inline CURLcode cvm_curl_set_header_writer(const struct cvm_curl *curl, CURL *easy, curl_write_callback writer) {
    return curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, writer);
}
static inline long cvm_curl_status(const struct cvm_curl *curl, CURL *easy) {
    long status = 0;
    return curl->easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK ? status : 0;
}

// Seconds, from a header in either form; 0 where there was none.
static inline curl_off_t cvm_curl_retry_after(const struct cvm_curl *curl, CURL *easy) {
    curl_off_t seconds = 0;
    return curl->easy_getinfo(easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK ? seconds : 0;
}

static inline struct curl_slist *cvm_curl_append(const struct cvm_curl *curl, struct curl_slist *list, const char *line) {
    return curl->slist_append(list, line);
}
static inline void cvm_curl_free_list(const struct cvm_curl *curl, struct curl_slist *list) { curl->slist_free_all(list); }

static inline CURLU *cvm_curl_url(const struct cvm_curl *curl) { return curl->url(); }
static inline void cvm_curl_url_cleanup(const struct cvm_curl *curl, CURLU *url) { curl->url_cleanup(url); }
static inline CURLUcode cvm_curl_url_set(const struct cvm_curl *curl, CURLU *url, const char *text) {
    return curl->url_set(url, CURLUPART_URL, text, 0);
}
static inline CURLUcode cvm_curl_url_get(const struct cvm_curl *curl, CURLU *url, CURLUPart part, char **text) {
    return curl->url_get(url, part, text, 0);
}
static inline void cvm_curl_free(const struct cvm_curl *curl, char *text) { curl->free(text); }
