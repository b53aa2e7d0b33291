// SPDX-License-Identifier: Apache-2.0
import BootFronts
import FileIO
import PinKit
import TEE
import TPM2Pin

/// Measures the key of a volume that was opened, where this machine can: PCR 15 of its TPM, RTMR3 of a TDX guest. So what is
/// sealed to their state before that is out of reach of what runs from the volume, and evidence says which volume it is
/// (docs/spec/boot.md §7). What fails is said, and keeps no volume closed.
enum VolumeKeyMeasurement {
    static func measure(_ record: String, _ key: borrowing SecretBytes) {
        if FileIO.exists("/dev/tpmrm0") { say(record, "PCR \(SystemIdentity.pcr)", extendPCR(record, key)) }
        let register = RuntimeRegister()
        if register.isOffered { say(record, "RTMR3", extend(register, record, key)) }
    }

    private static func extendPCR(_ record: String, _ key: borrowing SecretBytes) -> PinError? {
        do throws(PinError) {
            let log = MeasurementLog()
            try log.append { () throws(PinError) in
                let extensions = try SystemIdentity().extend(by: record, under: key)
                return MeasurementLog.Event(
                    pcr: SystemIdentity.pcr, digests: extensions.map { ($0.bank, $0.digest) }, record: record)
            }
            return nil
        } catch {
            return error
        }
    }

    private static func extend(_ register: RuntimeRegister, _ record: String, _ key: borrowing SecretBytes) -> PinError? {
        do throws(PinError) {
            try register.extend(by: key.hmac("SHA384", of: record))
            return nil
        } catch {
            return error
        }
    }

    private static func say(_ record: String, _ register: String, _ error: PinError?) {
        Console.say(
            error.map { "warning: \(record) was not measured into \(register): \($0)" }
                ?? "\(record) is measured into \(register)")
    }
}
