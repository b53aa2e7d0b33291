// SPDX-License-Identifier: Apache-2.0
#pragma once
// The low-level interface as libfuse 3.4 and later have it; must stand before the header.
#define FUSE_USE_VERSION 34
#include <fuse3/fuse_lowlevel.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

// unshare(CLONE_NEWNS), which sched.h declares only for _GNU_SOURCE.
static inline long cvm_unshare_mounts(void) { return syscall(SYS_unshare, CLONE_NEWNS); }
