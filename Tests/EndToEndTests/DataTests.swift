import Foundation
import HearthFleet
import Support
import Testing

/// Labels as an operator makes them, and a node that holds jobs to them.
@Suite struct DataEndToEndTests {
    private let folder: String

    init() throws { folder = try TestPaths.temporaryFolder() }

    @discardableResult private func write(_ text: String, _ name: String) throws -> String {
        try FileManager.default.createDirectory(atPath: "\(folder)/labels", withIntermediateDirectories: true)
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        return "\(folder)/\(name)"
    }

    private func data(_ arguments: String...) throws -> Program.Result {
        let own = arguments[0] == "decide" ? [] : ["--labels", "\(folder)/labels", "--trusted", "\(folder)/trusted"]
        let key = ["add", "label", "release"].contains(arguments[0]) ? ["--key-file", "\(folder)/key"] : []
        return try Program.run(["data"] + arguments + own + key)
    }

    private func site(_ name: String, _ kind: String) throws -> String {
        try write(
            "site: \(name)\nkind: \(kind)\ncountry: DE\nlabels: \(folder)/labels\ntrusted: \(folder)/trusted\n",
            "\(name).yaml")
    }

    /// The signer's public key is what the operator puts on the nodes.
    private func trust(_ result: Program.Result) throws {
        let key = try #require(result.error.split(separator: "\n").last?.split(separator: " ").last)
        try write("# labels\n\(key)\n", "trusted")
    }

    @Test func labelsAreMadeListedAndHeldTo() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (home, cloud) = (try site("home", "onprem"), try site("cloud-1", "cloud"))
        try write("", "trusted")
        try FileManager.default.removeItem(atPath: "\(folder)/trusted")
        let letters = try write(#"{"prompt":"a"}"#, "letters.jsonl")
        let added = try data(
            "add", "letters", letters, "--tier", "personal", "--purpose", "inference", "--purpose", "training")
        #expect(
            added.status == 0
                && added.out.hasPrefix("letters version 1: personal, for inference, training, at every site"))
        // Nobody is trusted yet.
        #expect(try data("list").out.contains("no trusted key signed it"))
        #expect(try data("decide", "letters", "--purpose", "inference", "--admission", home).status == 77)
        try trust(added)
        #expect(
            try data("decide", "letters", "--purpose", "inference", "--admission", home).out
                == "allowed: the label of letters allows it\n")
        let refused = try data("decide", "letters", "--purpose", "inference", "--admission", cloud)
        #expect(
            refused.status == 77 && refused.error.contains("letters: is personal: never in cloud sites, as cloud-1 is"))
        #expect(
            try data("decide", "letters", "--purpose", "evaluation", "--admission", home).error.contains(
                "may not be used for evaluation"))
        #expect(
            try data("decide", "other", "--purpose", "training", "--admission", cloud).error.contains(
                "has no label: on-prem only"))

        // What is made from it is as strict, until somebody signs for less.
        let anonymous = try write("{}", "anonymous.jsonl")
        let made = try data("add", "anonymous", anonymous, "--from", "letters", "--tier", "anonymised")
        #expect(made.status == 0 && made.error.contains("refused until a release is signed"))
        #expect(
            try data("decide", "anonymous", "--purpose", "training", "--admission", home).error.contains(
                "allows more than what it was made from"))
        let stranger = try Program.run([
            "data", "release", "anonymous", "--reviewer", "R", "--reason", "r", "--labels", "\(folder)/labels",
            "--trusted", "\(folder)/trusted", "--key-file", "\(folder)/stranger",
        ])
        #expect(stranger.status == 78 && stranger.error.contains("nothing was written"))
        let released = try data("release", "anonymous", "--reviewer", "R. Viewer", "--reason", "k = 20")
        #expect(released.status == 0, "\(released.error)")
        #expect(
            try data("decide", "anonymous", "--purpose", "training", "--admission", cloud).out.contains(
                "released as anonymised by R. Viewer"))
        // A changed label needs a new review.
        #expect(try data("label", "anonymous", "--purpose", "training").out.hasPrefix("anonymous version 2"))
        #expect(try data("decide", "anonymous", "--purpose", "training", "--admission", cloud).status == 77)

        #expect(
            try data("add", "letters", letters, "--tier", "public", "--purpose", "training").error.contains(
                "has a label already"))
        #expect(try data("add", "../x", letters, "--tier", "public", "--purpose", "training").status == 65)
        #expect(
            try data("add", "x", folder + "/none", "--tier", "public", "--purpose", "training").error.contains(
                "no such file"))
        #expect(try data("label", "letters", "--expires", "tomorrow").error.contains("is not a time"))
        // One letter of a signed label.
        let text = try String(contentsOfFile: "\(folder)/labels/letters.label", encoding: .utf8)
        try write(text.replacingOccurrences(of: "personal", with: "internal"), "labels/letters.label")
        #expect(try data("decide", "letters", "--purpose", "inference", "--admission", home).status == 77)
        #expect(
            try data("add", "letters", letters, "--tier", "public", "--purpose", "training").error.contains(
                "is not believed"))
    }

    /// A refused job opens nothing: its model does not exist, and that is not what it ends with.
    @Test func aNodeRefusesWhatLabelsForbid() throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let (home, cloud) = (try site("home", "onprem"), try site("cloud-1", "cloud"))
        try write("", "trusted")
        let input = try write(#"{"prompt":"a"}"#, "letters.jsonl")
        try trust(try data("add", "letters", input, "--tier", "secret", "--purpose", "inference"))
        func run(_ spec: String, _ admission: String?) throws -> (Program.Result, JobOutcome) {
            let file = try write(spec, "spec.yaml")
            let result = "\(folder)/outcome.json"
            let ended = try Program.run(
                ["run", "--result", result] + (admission.map { ["--admission", $0] } ?? []) + [file])
            let outcome = try JSONDecoder().decode(
                JobOutcome.self, from: Data(contentsOf: URL(fileURLWithPath: result)))
            return (ended, outcome)
        }
        let batch =
            "kind: generate\nmodel: none.gguf\ninput: letters.jsonl\noutput: out.jsonl\ndevice: cpu\npurpose: inference\n"
        let named = batch + "data: [letters]\n"
        var (ended, outcome) = try run(named, cloud)
        #expect(ended.status == 77 && outcome.exitCode == 77 && outcome.message?.contains("letters: is secret") == true)
        // Unnamed, it is recognised by its contents, under another name too.
        (ended, outcome) = try run(batch, cloud)
        #expect(ended.status == 77 && outcome.message?.contains("letters: is secret") == true)
        try write(#"{"prompt":"a"}"#, "copy.jsonl")
        let copy = batch.replacingOccurrences(of: "letters.jsonl", with: "copy.jsonl")
        #expect(
            try run(copy.replacingOccurrences(of: "inference", with: "training"), home).1.message?.contains(
                "letters: may not be used for training") == true)
        (ended, outcome) = try run(copy + "data: [nobody-knows]\n", cloud)
        #expect(ended.status == 77)
        // What no label knows stays on-prem; so does what cannot be looked up.
        try write(#"{"prompt":"c"}"#, "other.jsonl")
        let other = batch.replacingOccurrences(of: "letters.jsonl", with: "other.jsonl")
        #expect(try run(other, cloud).1.message?.contains("the input file has no label: on-prem only") == true)
        let lost = try write(
            "site: home\nkind: onprem\ncountry: DE\nlabels: /nowhere\ntrusted: \(folder)/trusted\n", "lost.yaml")
        #expect(try run(other, lost).1.message?.contains("/nowhere: is no folder that can be read") == true)
        #expect(try run(batch.replacingOccurrences(of: "letters.jsonl", with: "none.jsonl"), home).1.exitCode == 65)
        // Allowed, it goes on to what is wrong with the model.
        (ended, outcome) = try run(named, home)
        #expect(ended.status == 65 && outcome.message?.contains("none.gguf") == true)
        // However it ends, what it might read is said.
        #expect(
            outcome.data?.first?.name == "letters" && outcome.data?.first?.label?.count == 64 && outcome.decision != nil
        )
        // Another file under the label's name.
        try write(#"{"prompt":"b"}"#, "letters.jsonl")
        (ended, outcome) = try run(named, home)
        #expect(ended.status == 77 && outcome.message?.contains("letters.jsonl: is no shard of letters") == true)
        let bench = "kind: bench\nworkloads: [gemv-decode]\ndevice: cpu\n"
        #expect(try run(bench + "data: [letters]\n", home).0.status == 78)
        #expect(try run(bench + "data: [letters]\npurpose: fun\n", home).0.error.contains("'fun' is none of"))
    }
}
