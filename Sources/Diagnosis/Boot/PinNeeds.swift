// SPDX-License-Identifier: Apache-2.0

/// What pins need of whatever they run in.
struct PinNeeds {
    let pins: Set<String>

    private static let network = ["tang", "snp-attest", "tdx-attest", "trustee"]

    var network: Bool { !pins.isDisjoint(with: Self.network) }

    /// Libraries that the program opens when it first needs them, with the pins that do.
    var libraries: [(name: String, pins: String)] {
        var libraries: [(name: String, pins: String)] = []
        if network { libraries.append(("libssl.so.3", who(Self.network))) }
        if pins.contains("tpm2") {
            libraries += ["esys", "mu", "rc", "tcti-device"].map { ("libtss2-\($0).so.0", "tpm2") }
        }
        return libraries
    }

    /// One driver of several that do.
    struct Driver {
        let names: [String]
        /// What it is, for people.
        let what: String
        /// Of the kernel's configuration; one of them.
        let options: [String]
        var isVital = true
    }

    var drivers: [Driver] {
        var drivers = [
            Driver(names: ["dm_crypt"], what: "encrypted volumes", options: ["DM_CRYPT"]),
            Driver(names: ["xts"], what: "the volumes' cipher", options: ["CRYPTO_XTS"]),
        ]
        // Under three names in the kernels that have it: 6.7 and later.
        let reports = ["tsm", "tsm_report", "tsm_reports"]
        if pins.contains("snp-attest") {
            drivers.append(Driver(names: ["sev_guest"], what: "SEV-SNP reports", options: ["SEV_GUEST"]))
            drivers.append(
                Driver(
                    names: reports, what: "reports through configfs-tsm (without it /dev/sev-guest is asked)",
                    options: ["TSM_REPORTS"], isVital: false))
        }
        if pins.contains("tdx-attest") {
            drivers.append(Driver(names: ["tdx_guest"], what: "TDX quotes", options: ["TDX_GUEST_DRIVER"]))
            drivers.append(
                Driver(names: reports, what: "quotes through configfs-tsm", options: ["TSM_REPORTS"]))
        }
        if pins.contains("trustee") {
            drivers.append(
                Driver(
                    names: ["sev_guest", "tdx_guest"], what: "SEV-SNP reports or TDX quotes",
                    options: ["SEV_GUEST", "TDX_GUEST_DRIVER"]))
        }
        if pins.contains("sev-secret") {
            drivers.append(Driver(names: ["efi_secret"], what: "the launch secret", options: ["EFI_SECRET"]))
        }
        if pins.contains("tpm2") {
            drivers.append(Driver(names: ["tpm_crb", "tpm_tis"], what: "the TPM", options: ["TCG_CRB", "TCG_TIS"]))
        }
        if network {
            drivers.append(
                Driver(
                    names: ["virtio_net", "gve", "hv_netvsc", "mana", "ena"],
                    what: "a network card that confidential VMs have",
                    options: ["VIRTIO_NET", "GVE", "HYPERV_NET", "ENA_ETHERNET"]
                ))
        }
        return drivers
    }

    private func who(_ names: [String]) -> String { names.filter(pins.contains).joined(separator: ", ") }
}
