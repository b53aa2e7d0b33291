// SPDX-License-Identifier: Apache-2.0
// What libtss2-esys finds in place of two functions of libcrypto, which nobody else is to call.
#pragma once

// Does what the first computation of libtss2-esys would wait for: for a thread that has nothing else to do meanwhile.
void cvm_tss2_prepare_context(void);
