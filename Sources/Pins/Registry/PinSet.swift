// SPDX-License-Identifier: Apache-2.0
internal import NullPin
public import PinKit
internal import SSSPin

/// The pins of this project: the only file that names them all.
public enum PinSet {
    public static let standard = PinRegistry([NullPin(), SSSPin()])
}
