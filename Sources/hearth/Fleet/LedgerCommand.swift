import ArgumentParser
import Foundation
import HearthAgent
import HearthLedger

struct LedgerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ledger",
        abstract: "Copy the coordinator's log of what ran, and check copies without any service.",
        subcommands: [
            Export.self, Verify.self, Show.self, Prove.self, Check.self, Witness.self, Lineage.self, Attest.self,
            CheckAttestation.self, Sheet.self,
        ])

    /// Which keys are trusted, by text or by a file that holds it.
    static func key(_ text: String) throws -> VerifierKey {
        let known =
            FileManager.default.fileExists(atPath: text) ? try String(contentsOfFile: text, encoding: .utf8) : text
        guard let key = VerifierKey(known.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw CommandFailure(.badInput, "'\(text.prefix(80))' is neither a verifier's key nor a file with one")
        }
        return key
    }

    static func note(_ file: String) throws -> SignedNote {
        do {
            return try SignedNote(parsing: try String(contentsOfFile: file, encoding: .utf8))
        } catch { throw CommandFailure(.badInput, "\(file): \(error)") }
    }

    /// Says what of `folder` is not as it should be.
    static func copy(_ folder: String) throws -> LedgerCopy {
        do { return try LedgerCopy(folder: folder) } catch { throw CommandFailure(.badInput, "\(folder): \(error)") }
    }

    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Copy the log into a folder: leaves.jsonl and a signed checkpoint. A copy that is there is held against it."
        )

        @Argument(help: "Folder; made where there is none.") var folder: String
        @OptionGroup var options: CoordinatorOptions

        func run() async throws {
            let client = try options.client()
            let note = try await client.text("/v1/ledger/checkpoint")
            let checkpoint = try Checkpoint(try SignedNote(parsing: note))
            let url = URL(fileURLWithPath: folder, isDirectory: true)
            try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
            let old = url.appending(path: LedgerCopy.checkpointName)
            let before = FileManager.default.fileExists(atPath: old.path) ? try LedgerCommand.note(old.path) : nil
            var leaves: [Data] = []
            while leaves.count < checkpoint.size {
                let page = try await client.text("/v1/ledger/leaves?from=\(leaves.count)")
                let lines = page.utf8.split(separator: UInt8(ascii: "\n"))
                guard !lines.isEmpty else {
                    throw CommandFailure(.badInput, "the coordinator has fewer leaves than it signed")
                }
                leaves += lines.prefix(checkpoint.size - leaves.count).map { Data($0) }
                if Terminal.errorIsTerminal { Terminal.progress("\(leaves.count) of \(checkpoint.size) leaves") }
            }
            Terminal.endProgress()
            let copy = try LedgerCopy(leaves: leaves, note: try SignedNote(parsing: note))
            // A wrong copy does not take a good one's place.
            try copy.check()
            if let before {
                let known = try Checkpoint(before)
                guard copy.begins(with: known) else {
                    throw CommandFailure(
                        .badInput,
                        "\(old.path): the log does not begin as this older checkpoint says; nothing was written")
                }
            }
            let text = leaves.map { String(decoding: $0, as: UTF8.self) + "\n" }.joined()
            try Data(text.utf8).write(to: url.appending(path: LedgerCopy.leavesName), options: .atomic)
            try Data(note.utf8).write(to: old, options: .atomic)
            Terminal.out("\(checkpoint.size) leaves of \(checkpoint.origin)")
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a copy: leaves, root, signatures, and that it grew from an older checkpoint.")

        @Argument(help: "Folder that `hearth ledger export` wrote.") var folder: String
        @Option(help: "The log's key, or a file with it (the coordinator's ledger.pub).") var key: String
        @Option(help: "A witness's key that must have signed too; may be repeated.") var witness: [String] = []
        @Option(help: "An older checkpoint that the log must begin with.") var older: String?

        func run() throws {
            let copy = try LedgerCommand.copy(folder)
            let (key, before) = (try LedgerCommand.key(key), try older.map(LedgerCommand.note))
            let witnesses = try witness.map(LedgerCommand.key)
            if let author = witnesses.first(where: { $0.kind != .witness }) {
                throw CommandFailure(.badInput, "\(author.name) is no witness's key")
            }
            do { try copy.verify(signedBy: key, witnesses: witnesses, older: before) } catch {
                throw CommandFailure(.badInput, "\(folder): \(error)")
            }
            Terminal.out("\(copy.leaves.count) leaves of \(copy.checkpoint.origin) are as signed")
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print a copy's leaves, a line each with its number.")

        @Argument(help: "Folder that `hearth ledger export` wrote.") var folder: String
        @Option(help: "Of this job only.") var job: String?

        func run() throws {
            struct Leaf: Decodable { let job: String }
            for (index, leaf) in try LedgerCommand.copy(folder).leaves.enumerated() {
                if let job, (try? JSONDecoder().decode(Leaf.self, from: leaf))?.job != job { continue }
                Terminal.out("\(index) \(String(decoding: leaf, as: UTF8.self))")
            }
        }
    }

    struct Prove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the proof that one leaf of a copy is under its checkpoint (C2SP tlog-proof).")

        @Argument(help: "Folder that `hearth ledger export` wrote.") var folder: String
        @Argument(help: "The leaf's number, as `hearth ledger show` prints it.") var index: Int

        func run() throws {
            let copy = try LedgerCommand.copy(folder)
            guard let proof = try copy.proof(of: index) else {
                throw CommandFailure(
                    .badInput,
                    "\(folder): no leaf \(index) of \(copy.leaves.count) under a checkpoint of \(copy.checkpoint.size)")
            }
            Terminal.out("\(proof)", terminator: "")
        }
    }

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check a leaf's proof: needs the leaf and the key only.")

        @Argument(help: "File with the leaf.") var leaf: String
        @Argument(help: "File with the proof.") var proof: String
        @Option(help: "The log's key, or a file with it.") var key: String

        func run() throws {
            let key = try LedgerCommand.key(key)
            do {
                var data = try Data(contentsOf: URL(fileURLWithPath: leaf))
                if data.last == UInt8(ascii: "\n") { data.removeLast() }
                let proof = try LedgerProof(parsing: try String(contentsOfFile: proof, encoding: .utf8))
                let checkpoint = try proof.verify(data, signedBy: key)
                Terminal.out("the leaf is number \(proof.index) of the \(checkpoint.size) of \(checkpoint.origin)")
            } catch let error as SignedNote.Problem { throw CommandFailure(.badInput, "\(proof): \(error)") } catch {
                throw CommandFailure(.badInput, "\(error.localizedDescription)")
            }
        }
    }

    struct Witness: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sign a copy's checkpoint as a witness, if it grew from the one this witness signed last.",
            discussion:
                "What was signed last is kept beside the key, as KEY.last. A new key is made where there is none.")

        @Argument(help: "Folder that `hearth ledger export` wrote; its checkpoint gets the signature.") var folder:
            String
        @Option(help: "The witness's private key.") var keyFile: String
        @Option(help: "The witness's name, for a new key.") var name = "witness"
        @Option(help: "The log's key, or a file with it.") var key: String

        func run() throws {
            let copy = try LedgerCommand.copy(folder)
            let last = keyFile + ".last"
            // Two at once could sign two logs.
            let lock = open(keyFile + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            guard lock >= 0, flock(lock, LOCK_EX) == 0 else {
                throw CommandFailure(.badConfig, "\(keyFile).lock: \(String(cString: strerror(errno)))")
            }
            defer { close(lock) }
            do {
                let signer = try KeyFile.readOrCreate(keyFile, name: name, kind: .witness)
                let before = FileManager.default.fileExists(atPath: last) ? try LedgerCommand.note(last) : nil
                try copy.verify(signedBy: try LedgerCommand.key(key), older: before)
                var note = copy.note
                note.add(try signer.sign(note.text, at: UInt64(Date().timeIntervalSince1970)))
                // First what was promised, then the promise.
                try Data("\(note)".utf8).write(to: URL(fileURLWithPath: last), options: .atomic)
                let file = URL(fileURLWithPath: folder).appending(path: LedgerCopy.checkpointName)
                try Data("\(note)".utf8).write(to: file, options: .atomic)
                Terminal.out("\(signer.verifier)")
            } catch let error as SignedNote.Problem { throw CommandFailure(.badInput, "\(folder): \(error)") }
        }
    }
}
