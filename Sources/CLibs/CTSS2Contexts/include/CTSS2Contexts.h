// SPDX-License-Identifier: Apache-2.0
// What libtss2-esys finds in place of two functions of libcrypto; nothing here is to be called.
#pragma once
