// SPDX-License-Identifier: Apache-2.0

/// What every program of this project answers to `--version`: the newest heading of CHANGELOG.md.
public let programVersion = "0.1.0"
