// SPDX-License-Identifier: Apache-2.0
#pragma once
// The low-level interface as libfuse 3.10 and later have it; must stand before the header.
#define FUSE_USE_VERSION 34
#include <fuse3/fuse_lowlevel.h>
