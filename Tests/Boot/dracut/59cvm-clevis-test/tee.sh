#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Signs for the test kernel module. Which TEE it is, and what it says, stands on the kernel's command line:
# cvm-clevis-test.tee=tdx, cvm-clevis-test.measurement=…
tee=$(sed -n 's/.*cvm-clevis-test\.tee=\([a-z]*\).*/\1/p' /proc/cmdline)
measurement=$(sed -n 's/.*cvm-clevis-test\.measurement=\([0-9a-f]*\).*/\1/p' /proc/cmdline)
exec cvm-tee-sim respond --tee "${tee:-snp}" ${measurement:+--measurement "$measurement"}
