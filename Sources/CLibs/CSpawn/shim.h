// SPDX-License-Identifier: Apache-2.0
// What glibc's headers declare only for _GNU_SOURCE, which Swift's view of them does not define.
#pragma once
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CVM_SPAWN_SETSID = 0x80 };

int pipe2(int ends[2], int flags);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

// A descriptor that becomes readable when the process ends, closed on exec. -1 with errno.
static inline int cvm_pidfd_open(pid_t process) {
    return (int)syscall(SYS_pidfd_open, process, 0);
}
