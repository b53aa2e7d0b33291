// SPDX-License-Identifier: Apache-2.0
// zlib, liblzma and libzstd without a link line, by dlopen(): only who looks into an initrd needs them. One stream at a time,
// with one interface for the three of them. A stream's last byte is known exactly, which no program of theirs tells.
#pragma once
#include <dlfcn.h>
#include <lzma.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

enum cvm_inflater_kind { CVM_GZIP, CVM_XZ, CVM_ZSTD };

struct cvm_inflater {
    enum cvm_inflater_kind kind;
    z_stream gzip;
    lzma_stream xz;
    ZSTD_DStream *zstd;
    __typeof__(inflate) *inflate;
    __typeof__(inflateEnd) *inflate_end;
    __typeof__(lzma_code) *lzma_code;
    __typeof__(lzma_end) *lzma_end;
    __typeof__(ZSTD_decompressStream) *zstd_step;
    __typeof__(ZSTD_freeDStream) *zstd_free;
    __typeof__(ZSTD_isError) *zstd_is_error;
};

// Memory that a stream of xz may ask for; one of zstd may ask for half of it unless it is told otherwise.
#define CVM_INFLATER_MEMORY (256ull << 20)

static inline int cvm_inflater_start_gzip(struct cvm_inflater *inflater, void *library) {
    __typeof__(inflateInit2_) *start = (__typeof__(start))dlsym(library, "inflateInit2_");
    inflater->inflate = (__typeof__(inflater->inflate))dlsym(library, "inflate");
    inflater->inflate_end = (__typeof__(inflater->inflate_end))dlsym(library, "inflateEnd");
    if (!start || !inflater->inflate || !inflater->inflate_end) return 0;
    return start(&inflater->gzip, 16 + MAX_WBITS, ZLIB_VERSION, (int)sizeof inflater->gzip) == Z_OK;
}

static inline int cvm_inflater_start_xz(struct cvm_inflater *inflater, void *library) {
    __typeof__(lzma_stream_decoder) *start = (__typeof__(start))dlsym(library, "lzma_stream_decoder");
    inflater->lzma_code = (__typeof__(inflater->lzma_code))dlsym(library, "lzma_code");
    inflater->lzma_end = (__typeof__(inflater->lzma_end))dlsym(library, "lzma_end");
    if (!start || !inflater->lzma_code || !inflater->lzma_end) return 0;
    return start(&inflater->xz, CVM_INFLATER_MEMORY, 0) == LZMA_OK;
}

static inline int cvm_inflater_start_zstd(struct cvm_inflater *inflater, void *library) {
    __typeof__(ZSTD_createDStream) *start = (__typeof__(start))dlsym(library, "ZSTD_createDStream");
    inflater->zstd_step = (__typeof__(inflater->zstd_step))dlsym(library, "ZSTD_decompressStream");
    inflater->zstd_free = (__typeof__(inflater->zstd_free))dlsym(library, "ZSTD_freeDStream");
    inflater->zstd_is_error = (__typeof__(inflater->zstd_is_error))dlsym(library, "ZSTD_isError");
    if (!start || !inflater->zstd_step || !inflater->zstd_free || !inflater->zstd_is_error) return 0;
    inflater->zstd = start();
    return inflater->zstd != NULL;
}

// A stream that is about to be read; NULL with dlerror() set where its library is not there.
static inline struct cvm_inflater *cvm_inflater_open(enum cvm_inflater_kind kind) {
    static const char *const names[] = {"libz.so.1", "liblzma.so.5", "libzstd.so.1"};
    void *library = dlopen(names[kind], RTLD_LAZY | RTLD_LOCAL);
    struct cvm_inflater *inflater = library ? (struct cvm_inflater *)calloc(1, sizeof *inflater) : NULL;
    if (!inflater) return NULL;
    inflater->kind = kind;
    int started = kind == CVM_GZIP ? cvm_inflater_start_gzip(inflater, library)
                  : kind == CVM_XZ ? cvm_inflater_start_xz(inflater, library)
                                   : cvm_inflater_start_zstd(inflater, library);
    if (started) return inflater;
    free(inflater);
    return NULL;
}

static inline void cvm_inflater_close(struct cvm_inflater *inflater) {
    if (inflater->kind == CVM_GZIP) inflater->inflate_end(&inflater->gzip);
    if (inflater->kind == CVM_XZ) inflater->lzma_end(&inflater->xz);
    if (inflater->kind == CVM_ZSTD) inflater->zstd_free(inflater->zstd);
    free(inflater);
}

// Takes from `input` and gives to `output`, and sets how much of each. 0: there may be more; 1: the stream has ended; -1: what
// was given is no such stream. Both counts are below 2 GiB.
static inline int cvm_inflater_step(struct cvm_inflater *inflater, const uint8_t *input, size_t input_count, size_t *taken,
                                    uint8_t *output, size_t output_count, size_t *given) {
    *taken = *given = 0;
    if (inflater->kind == CVM_GZIP) {
        z_stream *stream = &inflater->gzip;
        stream->next_in = (Bytef *)(uintptr_t)input;
        stream->avail_in = (uInt)input_count;
        stream->next_out = output;
        stream->avail_out = (uInt)output_count;
        int code = inflater->inflate(stream, Z_NO_FLUSH);
        *taken = input_count - stream->avail_in;
        *given = output_count - stream->avail_out;
        return code == Z_STREAM_END ? 1 : code == Z_OK || code == Z_BUF_ERROR ? 0 : -1;
    }
    if (inflater->kind == CVM_XZ) {
        lzma_stream *stream = &inflater->xz;
        stream->next_in = input;
        stream->avail_in = input_count;
        stream->next_out = output;
        stream->avail_out = output_count;
        lzma_ret code = inflater->lzma_code(stream, LZMA_RUN);
        *taken = input_count - stream->avail_in;
        *given = output_count - stream->avail_out;
        return code == LZMA_STREAM_END ? 1 : code == LZMA_OK || code == LZMA_BUF_ERROR ? 0 : -1;
    }
    ZSTD_inBuffer in = {input, input_count, 0};
    ZSTD_outBuffer out = {output, output_count, 0};
    size_t code = inflater->zstd_step(inflater->zstd, &out, &in);
    *taken = in.pos;
    *given = out.pos;
    return inflater->zstd_is_error(code) ? -1 : code == 0;
}
