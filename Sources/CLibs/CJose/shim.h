// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <jansson.h>
#include <jose/b64.h>
#include <jose/jwe.h>
#include <jose/jwk.h>
#include <jose/jws.h>
