import ArgumentParser
import Foundation
import HearthAgent
import HearthFleet
import HearthLedger
import HearthPolicy

extension Tier: ExpressibleByArgument {}
extension Purpose: ExpressibleByArgument {}

struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data", abstract: "Label datasets: what they are, and where and for what they may be used.",
        subcommands: [Add.self, Label.self, ReleaseCommand.self, List.self, Decide.self, Where.self])

    /// What every label command needs.
    struct Options: ParsableArguments {
        @Option(help: "Folder of labels, NAME.label and NAME.release.") var labels = "/etc/hearth/labels"
        @Option(help: "Keys that are trusted with labels, one a line.") var trusted = "/etc/hearth/label-keys"

        /// Where there is no file of keys yet, nobody is trusted.
        func begin() throws {
            if FileManager.default.fileExists(atPath: trusted) { return }
            do { try Data().write(to: URL(fileURLWithPath: trusted)) } catch {
                throw CommandFailure(.badConfig, "\(trusted): cannot be written: \(error.localizedDescription)")
            }
        }

        func folder() throws -> LabelFolder {
            do { return try LabelFolder(labels, keyFile: trusted) } catch {
                throw CommandFailure(.badConfig, "\(error)")
            }
        }

        /// The label of `name`, which there has to be.
        func label(_ name: String) throws -> DatasetLabel {
            let known = try folder().known(name)
            if let problem = known.problem { throw CommandFailure(.badInput, "\(name): \(problem)") }
            guard let label = known.label else { throw CommandFailure(.badInput, "\(name): has no label in \(labels)") }
            return label
        }

        func write(_ value: some Encodable, _ name: String, with key: SignerKey) throws {
            let file = URL(fileURLWithPath: labels, isDirectory: true).appending(path: name)
            do {
                try Data("\(try SignedRecord.sign(value, with: key))".utf8).write(to: file, options: .atomic)
            } catch {
                throw CommandFailure(.badConfig, "\(file.path): cannot be written: \(error.localizedDescription)")
            }
        }

        /// What an untrusted key signs would only make a label that nobody believes.
        func check(_ key: SignerKey) throws {
            guard try folder().trusts(key.verifier) else {
                throw CommandFailure(
                    .badConfig,
                    "\(trusted): the signer is not trusted; nothing was written. Its line would be\n\(key.verifier)")
            }
        }
    }

    /// Who signs.
    struct Signer: ParsableArguments {
        @Option(help: "The signer's private key; a new one is made where there is none.") var keyFile: String
        @Option(help: "The signer's name, for a new key.") var signer = "labels"

        func key() throws -> SignerKey {
            do { return try KeyFile.readOrCreate(keyFile, name: signer) } catch {
                throw CommandFailure(.badConfig, "\(error)")
            }
        }
    }

    /// What a label allows.
    struct Terms: ParsableArguments {
        @Option(help: "public, anonymised, internal, personal or secret.") var tier: Tier?
        @Option(help: "A purpose that is allowed: training, inference or evaluation; may be repeated.")
        var purpose: [Purpose] = []
        @Option(help: "A site that is allowed; may be repeated. Without any: every site that the tier allows.")
        var site: [String] = []
        @Option(help: "When all use ends, as 2027-01-31T00:00:00Z.") var expires: String?

        func apply(to label: inout DatasetLabel) throws {
            if let tier { label.tier = tier }
            if !purpose.isEmpty { label.purposes = Set(purpose) }
            if !site.isEmpty { label.sites = Set(site) }
            guard let expires else { return }
            guard let date = try? Date(expires, strategy: .iso8601) else {
                throw CommandFailure(
                    .badInput, "--expires '\(expires.prefix(40))' is not a time like 2027-01-31T00:00:00Z")
            }
            label.expiresAt = Int(date.timeIntervalSince1970)
        }
    }

    struct Where: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say where a dataset's files are, and everything that was made from them, as jobs have said.")

        @Argument(help: "The dataset's name.") var name: String
        @OptionGroup var options: CoordinatorOptions
        @Flag(help: "Print JSON.") var json = false

        func run() async throws {
            let places = try await options.client().get("/v1/data/\(name)/places", as: DataPlaces.self)
            if json { return try Terminal.json(places) }
            var table = TextTable("WHAT", "NODE", "SITE", "PATH", "SHA-256", "BY", "SEEN")
            for copy in places.copies {
                let what = copy.relation == .shard ? "shard" : copy.name.map { "derived: \($0)" } ?? "derived"
                table.add(
                    what, copy.node, copy.site ?? "-", copy.path, String(copy.sha256.prefix(12)), copy.job,
                    Date(timeIntervalSince1970: copy.at).formatted(.iso8601))
            }
            Terminal.out(table.text)
            if !places.isLabelled { Terminal.error("\(name): the coordinator has no label of that name") }
            if !places.unseenShards.isEmpty {
                Terminal.error("read by no job yet: \(places.unseenShards.joined(separator: ", "))")
            }
        }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Label files as a dataset. Made from others, it is as strict as the strictest of them.")

        @Argument(help: "The dataset's name.") var name: String
        @Argument(help: "Its files.") var files: [String]
        @Option(name: .customLong("from"), help: "A dataset that it was made from; may be repeated.") var sources:
            [String] = []
        @OptionGroup var terms: Terms
        @OptionGroup var signer: Signer
        @OptionGroup var options: Options

        func run() throws {
            try options.begin()
            let sources = try sources.map { try options.label($0) }
            if sources.isEmpty, terms.tier == nil || terms.purpose.isEmpty {
                throw ValidationError("--tier and --purpose are needed for data that is made from no other")
            }
            var label =
                sources.isEmpty
                ? DatasetLabel(name: name, tier: .secret, purposes: []) : DatasetLabel.derived(name, from: sources)
            try terms.apply(to: &label)
            label.shards = try files.map(DataCommand.shard)
            if let problem = label.problem { throw CommandFailure(.badInput, problem) }
            let known = try options.folder().known(name)
            if let problem = known.problem {
                throw CommandFailure(
                    .badInput, "\(name): has a label that is not believed (\(problem)); remove it first")
            }
            if known.label != nil {
                throw CommandFailure(.badInput, "\(name): has a label already; hearth data label changes it")
            }
            let key = try signer.key()
            try options.write(label, "\(name).label", with: key)
            Terminal.out(DataCommand.line(label))
            if let excess = label.excess(over: sources) {
                Terminal.error(
                    "\(name) allows more than what it was made from (\(excess)): refused until a release is signed")
            }
            Terminal.error("signed by \(key.verifier)")
        }
    }

    struct Label: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change what a label allows; its version counts up.")

        @Argument(help: "The dataset's name.") var name: String
        @OptionGroup var terms: Terms
        @OptionGroup var signer: Signer
        @OptionGroup var options: Options

        func run() throws {
            var label = try options.label(name)
            try terms.apply(to: &label)
            label.version += 1
            if let problem = label.problem { throw CommandFailure(.badInput, problem) }
            let key = try signer.key()
            try options.check(key)
            try options.write(label, "\(name).label", with: key)
            Terminal.out(DataCommand.line(label))
        }
    }

    struct ReleaseCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "release",
            abstract: "Sign the review that lets a dataset's label be below what it was made from.")

        @Argument(help: "The dataset's name.") var name: String
        @Option(help: "Who reviewed it.") var reviewer: String
        @Option(help: "Why it may be.") var reason: String
        @OptionGroup var signer: Signer
        @OptionGroup var options: Options

        func run() throws {
            let label = try options.label(name)
            let release = Release(
                of: label, reviewer: reviewer, reason: reason, decidedAt: Int(Date().timeIntervalSince1970))
            if let problem = release.problem { throw CommandFailure(.badInput, problem) }
            let key = try signer.key()
            try options.check(key)
            try options.write(release, "\(name).release", with: key)
            let known = try options.folder().known(name)
            if let problem = known.problem ?? Policy.derivationProblem(known) {
                throw CommandFailure(.badInput, "\(name): still \(problem)")
            }
            Terminal.out("\(name) version \(label.version) is released as \(label.tier.rawValue)")
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List labels, and what is wrong with them.")

        @OptionGroup var options: Options

        func run() throws {
            let folder = try options.folder()
            var table = TextTable("NAME", "VERSION", "TIER", "PURPOSES", "SITES", "EXPIRES", "FILES", "NOTE")
            let names: [String]
            do { names = try folder.names() } catch {
                throw CommandFailure(.badConfig, "\(options.labels): \(error.localizedDescription)")
            }
            for name in names {
                let known = folder.known(name)
                guard let label = known.label else {
                    table.add(name, "-", "-", "-", "-", "-", "-", known.problem ?? "")
                    continue
                }
                table.add(
                    name, "\(label.version)", label.tier.rawValue,
                    label.purposes.map(\.rawValue).sorted().joined(separator: ","),
                    label.sites?.sorted().joined(separator: ",") ?? "as the tier", DataCommand.date(label.expiresAt),
                    "\(label.shards.count)", Policy.derivationProblem(known) ?? "")
            }
            Terminal.out(table.text)
        }
    }

    struct Decide: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say whether datasets may be used on this node, and why; ends with 77 where they may not.")

        @Argument(help: "Names of datasets.") var names: [String]
        @Option(help: "What for: training, inference or evaluation.") var purpose: Purpose
        @Option(help: "Where this node is (YAML); /etc/hearth/admission.yaml when left out.") var admission: String?

        func run() throws {
            var spec = JobSpec(kind: .probe, name: "decide")
            (spec.data, spec.purpose) = (names, purpose)
            if let problem = spec.problem { throw CommandFailure(.badInput, problem) }
            Terminal.out("allowed: \(try Admission(path: admission).admit(spec).decision ?? "")")
        }
    }

    private static func shard(_ file: String) throws -> DatasetLabel.Shard {
        let handle = try FileDigest.open(file)
        defer { try? handle.close() }
        let (digest, count) = try FileDigest.sha256(handle, file)
        return .init(name: URL(fileURLWithPath: file).lastPathComponent, sha256: digest, byteCount: count)
    }

    private static func date(_ seconds: Int?) -> String {
        seconds.map { Date(timeIntervalSince1970: Double($0)).formatted(.iso8601) } ?? "never"
    }

    private static func line(_ label: DatasetLabel) -> String {
        let sites = label.sites.map { $0.sorted().joined(separator: ", ") } ?? "every site that the tier allows"
        let purposes = label.purposes.map(\.rawValue).sorted().joined(separator: ", ")
        return
            "\(label.name) version \(label.version): \(label.tier.rawValue), for \(purposes), at \(sites), until \(date(label.expiresAt)), \(label.shards.count) files"
    }
}
