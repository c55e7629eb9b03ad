import Crypto
import Foundation
import HearthFleet
import HearthJSON
import HearthLedger

/// What the ledger says of one step of a job: a leaf, as canonical JSON.
struct LedgerRecord: Codable {
    enum Kind: String, Codable { case submitted, assigned, returned, finished }

    let kind: Kind
    let job: String
    let attempt: Int
    /// The coordinator's clock, seconds since 1970.
    let at: Double
    /// SHA-256 of the job's spec in its canonical form: what was asked for.
    let spec: String
    var node: String?
    /// Where the node said that it is.
    var site: String?
    /// Why the node might have it, and why it was the one.
    var decision, placement: String?
    var predictedSeconds: Double?
    var outcome: JobOutcome?
    var state: JobState?
    /// In the price list's currency.
    var cost: Double?
    /// Hash of the job's leaf before this one: the steps of a job are a chain.
    var previous: MerkleHash?

    static func digest(_ spec: JobSpec) throws -> String {
        SHA256.hash(data: try CanonicalJSON.encode(spec)).hexadecimal
    }
}
