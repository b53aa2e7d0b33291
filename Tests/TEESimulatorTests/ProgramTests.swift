// SPDX-License-Identifier: Apache-2.0
import Foundation
import PinKit
import TEESimulator
import Testing

/// `cvm-tee-sim` as it is built, beside the test bundle.
struct ProgramTests {
    @Test(arguments: [0, 1, 77])
    func `the exit status is the command's`(status: Int32) throws {
        let program = try Program(["run", "--tee", "snp", "--", "/bin/sh", "-c", "exit \(status)"])
        #expect(try program.finish().status == status)
    }

    @Test func `a command that a signal ended gives 128 and its number`() throws {
        let program = try Program(["run", "--tee", "snp", "--", "/bin/sh", "-c", "kill -KILL $$"])
        #expect(try program.finish().status == 128 + SIGKILL)
    }

    @Test func `standard streams are the command's`() throws {
        let program = try Program([
            "run", "--tee", "none", "--", "/bin/sh", "-c", "read line; echo got $line; echo said >&2",
        ])
        let result = try program.finish(input: "this\n")
        #expect(result.output == "got this\n")
        #expect(result.error == "said\n")
    }

    @Test func `signals reach the command`() throws {
        let script = "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
        let program = try Program(["run", "--tee", "snp", "--", "/bin/sh", "-c", script])
        try program.waitForOutput()
        program.terminate()
        let result = try program.finish()
        #expect(result.output == "caught\n")
        #expect(result.status == 5)
    }

    @Test func `a shell finds the report where the kernel has it, and nobody else does`() throws {
        let script = """
            cd /sys/kernel/config/tsm/report && mkdir one && cd one
            head -c 64 /dev/zero > inblob && wc -c < outblob && cat generation provider
            """
        let before = Kernel.names(in: "/sys/kernel")
        let program = try Program(["run", "--tee", "snp", "--", "/bin/sh", "-c", script])
        let result = try program.finish()
        #expect(result.output == "1184\n1\nsev_guest\n")
        #expect(result.error == "")
        #expect(Kernel.names(in: "/sys/kernel") == before)
    }

    @Test func `a shell finds the quote of a TDX guest`() throws {
        let script = """
            cd /sys/kernel/config/tsm/report && mkdir one && cd one
            head -c 64 /dev/zero > inblob && cat outblob | od -An -v -tx1 -j 184 -N 4; cat provider
            """
        let mrtd = "deadbeef" + String(repeating: "0", count: 88)
        let program = try Program(["run", "--tee", "tdx", "--mrtd", mrtd, "--", "/bin/sh", "-c", script])
        #expect(try program.finish().output == " de ad be ef\ntdx_guest\n")
    }

    @Test func `options reach the report`() throws {
        let script = """
            cd /sys/kernel/config/tsm/report && mkdir one && cd one
            head -c 64 /dev/zero > inblob && cat outblob | od -An -v -tx1 -j 192 -N 4
            """
        let hostData = "deadbeef" + String(repeating: "0", count: 56)
        let program = try Program(["run", "--tee", "snp", "--host-data", hostData, "--", "/bin/sh", "-c", script])
        #expect(try program.finish().output == " de ad be ef\n")
    }

    @Test(arguments: [
        (["run", "--tee", "snp", "--", "/no/such/program"], 1, "cannot run /no/such/program: No such file or directory"),
        (["run", "--tee", "snp", "--tcb", "00", "--", "true"], 1, "reported TCB: 1 bytes given, 8 expected"),
        (["run", "--tee", "snp", "--fault", "bad-luck", "--", "true"], 2, "there is no fault 'bad-luck'; see --help"),
        (["run", "--tee", "tdx", "--vmpl", "1", "--", "true"], 2, "an option of SEV-SNP takes --tee snp"),
        (["run", "--tee", "snp", "--padding", "1", "--", "true"], 2, "an option of TDX takes --tee tdx"),
        (["run", "--tee", "tdx", "--fault", "wrong-spl", "--", "true"], 1, "this fault is none of that platform's"),
        (["run", "--tee", "tdx", "--mrtd", "00", "--", "true"], 1, "MRTD: 1 bytes given, 48 expected"),
        (["trust", "/tmp/x", "--fault", "dusty"], 2, "collateral has no fault 'dusty'; see --help"),
        (["run", "--tee", "snp"], 2, "what is to be run? Give it after --"),
        (["trust", "/proc/trust"], 1, "/proc/trust: No such file or directory"),
    ])
    func `what is wrong is said in one line`(arguments: [String], status: Int32, reason: String) throws {
        let result = try Program(arguments).finish()
        #expect(result.status == status)
        #expect(result.error.hasPrefix("cvm-tee-sim: error: "))
        #expect(result.error.split(separator: "\n").first?.contains(reason) == true, "\(result.error)")
    }

    @Test func `without the right to mount it says what is needed`() throws {
        let program = try Program(
            ["run", "--tee", "snp", "--", "true"], under: ["/usr/bin/setpriv", "--inh-caps=-all", "--bounding-set=-all"])
        let result = try program.finish()
        #expect(result.status == 1)
        #expect(result.error.contains("CAP_SYS_ADMIN"), "\(result.error)")
    }

    @Test func `trust writes the anchors and the collateral`() throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("cvm-tee-sim-\(UUID())")
        defer { try? FileManager.default.removeItem(at: directory) }
        #expect(try Program(["trust", directory.path]).finish().status == 0)
        for (name, text) in SimulatedTrust.files {
            #expect(try String(contentsOf: directory.appendingPathComponent(name), encoding: .utf8) == text)
        }
        let collateral = try FileManager.default.contentsOfDirectory(atPath: directory.path + "/collateral")
        #expect(try collateral.sorted() == SimulatedCollateral(at: 0).files.map(\.name).sorted())
    }

    @Test func `measurement prints the default as policies have it`() throws {
        let text = Base64URL.encode(SNPSettings.defaultMeasurement)
        #expect(try Program(["measurement"]).finish().output == "\(text)\n")
        #expect(
            try Program(["policy"]).finish().output
                == #"{"covers":["firmware","kernel","initrd","cmdline"],"measurement":["\#(text)"]}"# + "\n")
        #expect(
            try Program(["policy", "--tee", "tdx"]).finish().output == TDXSettings.examplePolicy.canonical + "\n")
    }

    @Test(arguments: [[], ["run"], ["trust"], ["policy"], ["measurement"]])
    func `every command has help with an example`(command: [String]) throws {
        let result = try Program(command + ["--help"]).finish()
        #expect(result.status == 0)
        #expect(result.output.contains("Example:"))
    }
}
