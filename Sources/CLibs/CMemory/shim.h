// SPDX-License-Identifier: Apache-2.0
// What glibc's headers declare only for _GNU_SOURCE, which Swift's view of them does not define.
#pragma once
#include <sys/syscall.h>
#include <unistd.h>

// A file that is on no disk, closed on exec. -1 with errno.
static inline int cvm_memory_file(const char *name) {
    return (int)syscall(SYS_memfd_create, name, 1u /* MFD_CLOEXEC */);
}
