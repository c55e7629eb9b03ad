import Foundation
import Support
import Testing

/// The ledger as an auditor has it: copied, checked, witnessed and tampered with, with the program alone.
@Suite struct LedgerEndToEndTests {
    private func read(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

    private func write(_ text: String, _ path: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }

    @Test func aCopyIsCheckedWithoutAnyService() throws {
        let fleet = try Fleet()
        try fleet.startCoordinator()
        let spec = try fleet.write("p.yaml", "kind: probe\nname: p\ndevice: vulkan:63\n")
        for _ in 0..<3 { #expect(try fleet.hearth("submit", spec).status == 0) }
        #expect(try fleet.hearth("cancel", "job-2").status == 0)
        let (copy, key) = (fleet.folder + "/copy", fleet.folder + "/coordinator/ledger.pub")
        #expect(try fleet.hearth("ledger", "export", copy).out.hasPrefix("4 leaves of "))
        let old = fleet.folder + "/old"
        try write(try read(copy + "/checkpoint"), old)

        // What was promised once stays promised.
        let (witnessKey, name) = (fleet.folder + "/witness.key", "auditor.example")
        func witness() throws -> Program.Result {
            try fleet.hearth("ledger", "witness", copy, "--key-file", witnessKey, "--name", name, "--key", key)
        }
        let witnessed = try witness()
        #expect(witnessed.status == 0 && witnessed.out.hasPrefix("auditor.example+"))
        let witnessKeyText = witnessed.out.trimmingCharacters(in: .newlines)
        func verify(_ more: String...) throws -> Program.Result {
            try Program.run(["ledger", "verify", copy, "--key", key] + more)
        }
        #expect(try verify("--witness", witnessKeyText).out.hasPrefix("4 leaves of "))

        #expect(try fleet.hearth("submit", spec).status == 0)
        #expect(try fleet.hearth("ledger", "export", copy).out.hasPrefix("5 leaves of "))
        #expect(try verify("--older", old).status == 0)
        #expect(try verify("--witness", witnessKeyText).error.contains("auditor.example did not sign"))
        #expect(try witness().status == 0 && verify("--witness", witnessKeyText).status == 0)
        #expect(try read(witnessKey + ".last") == read(copy + "/checkpoint"))

        let shown = try Program.run(["ledger", "show", copy, "--job", "job-2"]).out.split(separator: "\n")
        #expect(shown.count == 2 && shown[1].hasPrefix("3 ") && shown[1].contains(#""state":"cancelled""#))
        try write(String(shown[1].dropFirst(2)), fleet.folder + "/leaf")
        try write(try Program.run(["ledger", "prove", copy, "3"]).out, fleet.folder + "/proof")
        func check() throws -> Program.Result {
            try Program.run(["ledger", "check", fleet.folder + "/leaf", fleet.folder + "/proof", "--key", key])
        }
        #expect(try check().out.hasPrefix("the leaf is number 3 of the 5 of "))
        try write(String(shown[1].dropFirst(2).replacing("cancelled", with: "succeeded")), fleet.folder + "/leaf")
        #expect(try check().status == 65 && check().error.contains("not number 3 of the 5"))
        #expect(try Program.run(["ledger", "prove", copy, "5"]).status == 65)

        // A copy that was changed, and one that was cut.
        let leaves = try read(copy + "/leaves.jsonl")
        for changed in [
            leaves.replacing("cancelled", with: "succeeded"), leaves.replacing("\"attempt\":1", with: "\"attempt\":2"),
        ] {
            try write(changed, copy + "/leaves.jsonl")
            #expect(try verify().status == 65 && verify().error.contains("not those under the checkpoint"))
        }
        try write(leaves.split(separator: "\n").dropLast().joined(separator: "\n") + "\n", copy + "/leaves.jsonl")
        #expect(try verify().error.contains("4 leaves, and the checkpoint is of 5") && witness().status == 65)
        try write("no note", copy + "/checkpoint")
        #expect(try verify().status == 65 && verify().error.contains("no blank line"))
    }
}
