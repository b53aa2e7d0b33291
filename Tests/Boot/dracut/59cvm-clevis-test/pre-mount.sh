#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Nothing is mounted yet. Without a root the boot goes on: what ends it then is not this test.
if [ -e /dev/mapper/root ] && ! grep -q cvm-clevis-test.boot /proc/cmdline; then exec cvm-clevis-test-report; fi
