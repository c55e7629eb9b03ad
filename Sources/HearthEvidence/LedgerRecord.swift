import Crypto
import Foundation
import HearthFleet
import HearthJSON
import HearthLedger
import HearthPolicy

/// What the ledger says of one step of a job: a leaf, as canonical JSON.
public struct LedgerRecord: Sendable, Codable {
    public enum Kind: String, Sendable, Codable { case submitted, assigned, returned, finished }

    public let kind: Kind
    public let job: String
    public let attempt: Int
    /// The coordinator's clock, seconds since 1970.
    public let at: Double
    /// SHA-256 of the job's spec in its canonical form: what was asked for.
    public let spec: String
    /// What kind of job it is, and what for it reads what it reads; leaves of older versions do not say.
    public var jobKind: JobSpec.Kind?
    public var purpose: Purpose?
    public var node: String?
    /// Where the node said that it is.
    public var site: String?
    /// Why the node might have it, and why it was the one.
    public var decision, placement: String?
    public var predictedSeconds: Double?
    public var outcome: JobOutcome?
    public var state: JobState?
    /// In the price list's currency.
    public var cost: Double?
    /// Hash of the job's leaf before this one: the steps of a job are a chain.
    public var previous: MerkleHash?

    /// - Parameter at: seconds since 1970.
    public init(_ kind: Kind, of job: JobRecord, at: Double) throws {
        (self.kind, self.job, attempt, self.at) = (kind, job.id, job.attempt, at)
        spec = SHA256.hash(data: try CanonicalJSON.encode(job.spec)).hexadecimal
        (jobKind, node) = (job.spec.kind, job.node)
        purpose = job.spec.data == nil && job.spec.input == nil ? nil : job.spec.readingPurpose
        if kind == .finished { (outcome, state, cost) = (job.outcome, job.state, job.cost) }
    }
}

/// The leaves of a copy that speak of jobs.
public struct LedgerHistory: Sendable {
    public struct Entry: Sendable {
        public let index: Int
        public let record: LedgerRecord
    }

    /// The log's name.
    public let origin: String
    public let entries: [Entry]

    /// - Throws: `SignedNote.Problem` naming the leaf that is none of ours.
    public init(_ copy: LedgerCopy) throws(SignedNote.Problem) {
        origin = copy.checkpoint.origin
        var entries: [Entry] = []
        for (index, leaf) in copy.leaves.enumerated() {
            guard let record = try? JSONDecoder().decode(LedgerRecord.self, from: leaf) else {
                throw SignedNote.Problem("leaf \(index) is no step of a job that this version knows")
            }
            entries.append(Entry(index: index, record: record))
        }
        self.entries = entries
    }
}
