import ArgumentParser
import Foundation
import HearthEvidence
import HearthLedger

extension LedgerCommand {
    /// A copy's steps. Nothing of one that is not whole is told.
    static func history(_ folder: String) throws -> (copy: LedgerCopy, history: LedgerHistory) {
        let copy = try copy(folder)
        do {
            try copy.check()
            return (copy, try LedgerHistory(copy))
        } catch { throw CommandFailure(.badInput, "\(folder): \(error)") }
    }

    struct Lineage: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a copy as OpenLineage run events, a line of JSON each.")

        @Argument(help: "Folder that `hearth ledger export` wrote.") var folder: String
        @Option(help: "Of this job only.") var job: String?

        func run() throws {
            let history = try LedgerCommand.history(folder).history
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            for entry in history.entries where job == nil || entry.record.job == job {
                guard let event = OpenLineageEvent(entry, origin: history.origin) else { continue }
                Terminal.out(String(decoding: try encoder.encode(event), as: UTF8.self))
            }
        }
    }

    struct Attest: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Sign how a job's output came to be: an in-toto statement with SLSA provenance in a DSSE envelope.")

        @Argument(help: "Folder that `hearth ledger export` wrote.") var folder: String
        @Option(help: "The job.") var job: String
        @Option(help: "The signer's private key; a new one is made where there is none.") var keyFile: String
        @Option(help: "The signer's name, for a new key.") var signer = "attestations"

        func run() throws {
            let (copy, history) = try LedgerCommand.history(folder)
            guard let attestation = try Attestation(history, job: job, leaves: copy.leaves) else {
                throw CommandFailure(.badInput, "\(folder): no leaf says that \(job) succeeded")
            }
            do {
                let key = try KeyFile.readOrCreate(keyFile, name: signer)
                Terminal.out(String(decoding: try attestation.envelope(signedBy: key), as: UTF8.self))
                Terminal.error("signed by \(key.verifier)")
            } catch let error as SignedNote.Problem { throw CommandFailure(.badConfig, "\(error)") }
        }
    }

    struct CheckAttestation: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check-attestation", abstract: "Check a DSSE envelope's signature and print its statement.")

        @Argument(help: "File with the envelope.") var envelope: String
        @Option(help: "The signer's key, or a file with it.") var key: String

        func run() throws {
            let key = try LedgerCommand.key(key)
            guard let data = FileManager.default.contents(atPath: envelope) else {
                throw CommandFailure(.badInput, "\(envelope): cannot be read")
            }
            do {
                let parsed = try DSSEEnvelope(parsing: data)
                guard parsed.isSigned(by: key) else { throw SignedNote.Problem("\(key.name) did not sign it") }
                Terminal.out(String(decoding: parsed.payload, as: UTF8.self))
            } catch { throw CommandFailure(.badInput, "\(envelope): \(error)") }
        }
    }

    struct Sheet: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Print what is on record of a model: data, places, times, purposes, machines, compute, energy. Without --model: the models."
        )

        enum Format: String, CaseIterable, ExpressibleByArgument { case html, json }

        @Argument(help: "Folder that `hearth ledger export` wrote.") var folder: String
        @Option(help: "The model's SHA-256, or the beginning of it.") var model: String?
        @Option(help: "html or json.") var format = Format.html

        func run() throws {
            let history = try LedgerCommand.history(folder).history
            guard let model else {
                var table = TextTable("SHA-256", "JOBS", "PATH")
                for model in RecordSheet.models(history) { table.add(model.sha256, "\(model.jobs)", model.path) }
                return Terminal.out(table.text)
            }
            guard let sheet = RecordSheet(history, model: model.lowercased()) else {
                throw CommandFailure(.badInput, "\(folder): no model, or several, begin with \(model.prefix(64))")
            }
            format == .json ? try Terminal.json(sheet) : Terminal.out(sheet.html, terminator: "")
        }
    }
}
